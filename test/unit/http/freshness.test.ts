import test from 'ava';
import {canonicalCacheControl} from '../../../src/http/cache-control.js';
import {cachingFacts, isSelectedBy, renewedFacts, type CachingFacts} from '../../../src/http/caching-facts.js';
import {conditionsOf, isOfOtherVersion} from '../../../src/http/conditional.js';
import {FreshnessRules, type Freshness, type FreshnessRule} from '../../../src/http/freshness.js';

const NOW_MS = 1_790_000_000_000;
const URL_A = 'https://a.example/a';
const DATE = new Date(NOW_MS).toUTCString();

function factsOf(headers: Record<string, string>, requested: Record<string, string> = {}): CachingFacts {
	return cachingFacts({header: name => headers[name] ?? null}, requested, NOW_MS);
}

interface Case {
	readonly headers: Record<string, string>;
	readonly lastModifiedMs?: number;
	readonly rule?: FreshnessRule;
}

/** What becomes of a stored answer after so many seconds. */
function after(seconds: number, {headers, lastModifiedMs, rule = 'http'}: Case): Freshness {
	const stored = {storedAtMs: NOW_MS, caching: factsOf(headers), lastModifiedMs, isPut: false};
	return new FreshnessRules(() => rule).judge(URL_A, stored, NOW_MS + seconds * 1000);
}

const control = (value: string) => ({headers: {'cache-control': value, 'date': DATE}});

test('an answer is fresh as long as its headers say, and then what they say of that', t => {
	const table: ReadonlyArray<readonly [string, number, Freshness]> = [
		['max-age=60', 59, 'fresh'],
		['max-age=60', 60, 'stale'],
		['Max-Age="60"', 59, 'fresh'],
		['public, MAX-AGE=60', 59, 'fresh'],
		['s-maxage=600, max-age=60', 60, 'stale'],
		['private, max-age=60', 59, 'fresh'],
		['max-age=nonsense', 0, 'stale'],
		['max-age=60, max-age=5', 10, 'stale'],
		['no-cache', 0, 'must-revalidate'],
		['no-cache="set-cookie", max-age=60', 0, 'must-revalidate'],
		['max-age=60, must-revalidate', 59, 'fresh'],
		['max-age=60, must-revalidate', 60, 'must-revalidate'],
		['max-age=60, proxy-revalidate', 60, 'stale'],
		['max-age=60, stale-while-revalidate=30', 60, 'stale-while-revalidate'],
		['max-age=60, stale-while-revalidate=30', 90, 'stale'],
		['max-age=60, stale-while-revalidate=30, must-revalidate', 60, 'must-revalidate'],
		['max-age=60, stale-if-error=30', 89, 'stale'],
		['max-age=60, stale-if-error=30', 90, 'must-revalidate'],
		['max-age=60, immutable', 59, 'fresh'],
		['extension="max-age=600, no-cache"', 0, 'stale'],
		['', 0, 'stale'],
	];
	for (const [value, seconds, expected] of table) t.is(after(seconds, control(value)), expected, `${value} ${seconds}`);
});

test('the same facts are judged by when they are asked about, and by what is asked about them', t => {
	const rules = new FreshnessRules(() => 'http');
	const caching = factsOf({date: DATE});
	const at = (seconds: number, ageOfFileS: number) => {
		const lastModifiedMs = NOW_MS - ageOfFileS * 1000;
		const stored = {storedAtMs: NOW_MS, caching, lastModifiedMs, isPut: false};
		return rules.judge(URL_A, stored, NOW_MS + seconds * 1000);
	};
	for (const _ of [1, 2]) {
		t.deepEqual([at(99, 1000), at(101, 1000), at(99, 1000)], ['fresh', 'stale', 'fresh']);
		t.deepEqual([at(101, 2000), at(201, 2000)], ['fresh', 'stale']);
		t.is(rules.absentForMs(404, caching, NOW_MS), 30_000);
	}
});

test('Expires, Age, Pragma and a tenth of the age of the file count where RFC 9111 has them count', t => {
	const expires = new Date(NOW_MS + 60_000).toUTCString();
	t.is(after(59, {headers: {expires, date: DATE}}), 'fresh');
	t.is(after(60, {headers: {expires, date: DATE}}), 'stale');
	t.is(after(0, {headers: {expires: '0', date: DATE}}), 'stale');
	t.is(after(10, {headers: {'expires': expires, 'date': DATE, 'cache-control': 'max-age=5'}}), 'stale');
	t.is(after(0, {headers: {'cache-control': 'max-age=60', 'age': '60'}}), 'stale');
	t.is(after(0, {headers: {pragma: 'no-cache'}}), 'must-revalidate');
	t.is(after(0, {headers: {'pragma': 'no-cache', 'cache-control': 'max-age=60'}}), 'fresh');
	const lastModifiedMs = NOW_MS - 1_000_000;
	t.is(after(99, {headers: {date: DATE}, lastModifiedMs}), 'fresh');
	t.is(after(100, {headers: {date: DATE}, lastModifiedMs}), 'stale');
});

test('a clock that was set back makes nothing fresh for longer', t => {
	t.is(after(-1, control('max-age=60')), 'stale');
	t.is(after(-1, {headers: {}, rule: 60_000}), 'stale');
});

test('what is known of no headers is asked about; what was put never is', t => {
	const rules = new FreshnessRules(() => 'http');
	const stored = {storedAtMs: NOW_MS, caching: undefined, lastModifiedMs: undefined};
	t.is(rules.judge(URL_A, {...stored, isPut: false}, NOW_MS), 'stale');
	t.is(rules.judge(URL_A, {...stored, isPut: true}, NOW_MS), 'fresh');
});

test('an answer that varies holds for requests that have the same in what it names', t => {
	const facts = factsOf({'vary': 'Accept-Language, Cookie', 'cache-control': 'max-age=60'}, {'accept-language': 'de'});
	t.true(isSelectedBy(facts, {'accept-language': 'de', 'x-other': 'a'}));
	t.false(isSelectedBy(facts, {'accept-language': 'en'}));
	t.false(isSelectedBy(facts, {'accept-language': 'de', 'cookie': 'a'}));
	t.false(isSelectedBy(factsOf({vary: '*'}), {}));
	const stored = {storedAtMs: NOW_MS, caching: facts, lastModifiedMs: undefined, isPut: false};
	const judged = (headers: Record<string, string>) =>
		new FreshnessRules(
			() => 'http',
			() => headers,
		).judge(URL_A, stored, NOW_MS);
	t.deepEqual([judged({'accept-language': 'de'}), judged({})], ['fresh', 'must-revalidate']);
});

test('what a request had in the headers that an answer varies by is not written down', t => {
	const facts = factsOf({vary: 'authorization'}, {authorization: 'Bearer secret'});
	t.false(JSON.stringify(facts).includes('secret'));
	t.is(facts.varied['authorization']?.length, 8);
});

test('a header that is longer than any sensible one is not kept', t => {
	t.deepEqual(factsOf({'cache-control': 'a'.repeat(5000), 'expires': '0'}).headers, {expires: '0'});
});

test('a renewal changes what it says and leaves what it does not, but for the age', t => {
	const known = factsOf({'cache-control': 'max-age=60', 'age': '50', 'expires': '0'});
	const renewal = {...factsOf({'cache-control': 'max-age=5'}), received: 2};
	t.deepEqual(renewedFacts(known, renewal), {
		...{received: 2, varied: {}},
		headers: {'cache-control': 'max-age=5', 'expires': '0'},
	});
});

test('Cache-Control has one spelling', t => {
	const table: Record<string, string> = {
		'Max-Age="60" , no-cache="set-cookie", max-age=30': 'max-age=30, no-cache=set-cookie',
		'max-age = 60': 'max-age=60',
		'a="b, \\"c\\"", no-store': 'a=b  "c", no-store',
		',,': '',
		'max-age=': 'max-age=',
	};
	for (const [header, expected] of Object.entries(table)) t.is(canonicalCacheControl(header), expected, header);
});

test('only what no-store forbids is not kept, and only by http', t => {
	const noStore = factsOf({'cache-control': 'No-Store'});
	t.false(new FreshnessRules(() => 'http').mayKeep(URL_A, noStore));
	t.true(new FreshnessRules(() => 'forever').mayKeep(URL_A, noStore));
	t.true(new FreshnessRules(() => 1000).mayKeep(URL_A, noStore));
	t.true(new FreshnessRules(() => 'http').mayKeep(URL_A, factsOf({'cache-control': 'private, no-cache'})));
	t.true(new FreshnessRules(() => 'http').mayKeep(URL_A, undefined));
});

test('a condition is made of what is known, and a 304 belongs to what it was asked about', t => {
	t.deepEqual(conditionsOf({}), {});
	t.deepEqual(conditionsOf({etag: 'W/"a"', lastModifiedMs: 1_700_000_000_000}), {
		'if-none-match': 'W/"a"',
		'if-modified-since': 'Tue, 14 Nov 2023 22:13:20 GMT',
	});
	t.false(isOfOtherVersion({etag: '"a"'}, {}));
	t.false(isOfOtherVersion({etag: '"a"'}, {etag: 'W/"a"'}));
	t.true(isOfOtherVersion({etag: '"a"'}, {etag: '"b"'}));
	t.true(isOfOtherVersion({lastModifiedMs: 1000}, {lastModifiedMs: 2000}));
	t.false(isOfOtherVersion({etag: '"a"', lastModifiedMs: 1000}, {lastModifiedMs: 2000}));
});

test('an answer that must be understood is kept, for it is', t => {
	const rules = new FreshnessRules(() => 'http');
	t.true(rules.mayKeep(URL_A, factsOf({'cache-control': 'max-age=60, no-store, must-understand'})));
	t.is(after(59, control('max-age=60, no-store, must-understand')), 'fresh');
});

test('how long it stays fresh is how long it is until the judgement changes', t => {
	const table: ReadonlyArray<readonly [FreshnessRule, string, number, number]> = [
		['forever', 'no-cache', 0, Infinity],
		['http', 'max-age=60', 0, 60_000],
		['http', 'max-age=60', 50_000, 10_000],
		['http', 'max-age=60', 61_000, 0],
		['http', 'no-cache', 0, 0],
		[60_000, 'max-age=1', 0, 60_000],
		[60_000, 'max-age=1', 59_000, 1000],
		[60_000, 'max-age=1', 61_000, 0],
	];
	for (const [rule, value, afterMs, expectedMs] of table) {
		const rules = new FreshnessRules(() => rule);
		const stored = {
			storedAtMs: NOW_MS,
			caching: factsOf(control(value).headers),
			lastModifiedMs: undefined,
			isPut: false,
		};
		t.is(rules.freshForMs(URL_A, stored, NOW_MS + afterMs), expectedMs, `${rule} ${value} ${afterMs}`);
		t.is(rules.freshForMs(URL_A, {...stored, isPut: true}, NOW_MS + afterMs), Infinity);
	}
});
