/** Cases of the suite's cc-response, pragma, status, partial, other and interim: what is kept, and what is not. */
import {askedAgain, PAUSE_S, reused, type Case, type Field, type Kind, type Step} from './case.js';

const AT_ONCE = {atOnce: true} as const;
const FRESH: readonly Field[] = [
	['Cache-Control', 'max-age=100000'],
	['Date', 0],
];
const EXPIRES: readonly Field[] = [
	['Expires', 10_000],
	['Date', 0],
];
const ETAG: Field = ['ETag', '"abcd"'];
const IF_ETAG = {'if-none-match': '"abcd"'};

export const CC_RESPONSE: readonly Case[] = [
	reused(
		'cc-resp-private-private',
		'optimal',
		'private is reused',
		[['Cache-Control', 'private, max-age=3600']],
		AT_ONCE,
	),
	never('cc-resp-no-store', 'no-store is not kept', 'no-store', []),
	never('cc-resp-no-store-case-insensitive', 'No-StOrE is no-store', 'No-StOrE', []),
	never('cc-resp-no-store-fresh', 'no-store is not kept, be it fresh', 'max-age=10000, no-store', EXPIRES),
	outlived('cc-resp-no-store-old-new', 'no-store'),
	outlived('cc-resp-no-store-old-max-age', 'no-store, max-age=0'),
	never('cc-resp-no-cache', 'no-cache is not reused without asking, be it fresh', 'max-age=10000, no-cache', EXPIRES),
	never('cc-resp-no-cache-case-insensitive', 'No-CaChE is no-cache', 'max-age=10000, No-CaChE', EXPIRES),
	validated('cc-resp-no-cache-revalidate', 'optimal', 'no-cache is kept, and validated', 0, [
		['Cache-Control', 'no-cache'],
	]),
	validated('cc-resp-no-cache-revalidate-fresh', 'optimal', 'no-cache is kept, and validated, be it fresh', 0, [
		['Cache-Control', 'max-age=10000, no-cache'],
		...EXPIRES,
	]),
	reused(
		'cc-resp-must-revalidate-fresh',
		'optimal',
		'must-revalidate is reused while it is fresh',
		[['Cache-Control', 'max-age=10000, must-revalidate'], ETAG],
		AT_ONCE,
	),
	{
		id: 'cc-resp-must-revalidate-stale',
		kind: 'required',
		name: 'must-revalidate is validated once it is stale',
		steps: [
			{headers: [['Cache-Control', 'max-age=2, must-revalidate'], ETAG], expect: 'asked'},
			{
				headers: [['Cache-Control', 'max-age=2, must-revalidate'], ETAG],
				expect: 'cached',
				pauseS: PAUSE_S,
			},
			{expect: {validated: IF_ETAG}},
		],
	},
	// The suite's browser reloads in both of these; ours only ever asks plainly.
	reused('cc-resp-immutable-fresh', 'optimal', 'immutable is reused while it is fresh', [
		['Cache-Control', 'max-age=10000, immutable'],
		ETAG,
	]),
	validated('cc-resp-immutable-stale', 'required', 'immutable is validated once it is stale', PAUSE_S, [
		['Cache-Control', 'max-age=2, immutable'],
	]),
];

function never(id: string, name: string, directives: string, more: readonly Field[]): Case {
	return askedAgain(id, 'required', name, [['Cache-Control', directives], ...more], AT_ONCE);
}

function validated(id: string, kind: Kind, name: string, pauseS: number, headers: readonly Field[]): Case {
	const first: Step = {headers: [...headers, ETAG], expect: 'asked', pauseS};
	return {id, kind, name, steps: [first, {expect: {validated: IF_ETAG}}]};
}

/** The second answer is never asked for: the first is fresh. */
function outlived(id: string, directives: string): Case {
	return {
		id,
		kind: 'required',
		name: `what is fresh is reused, whatever the origin would say by now (${directives})`,
		steps: [
			{headers: [['Cache-Control', 'max-age=10000'], ...EXPIRES], expect: 'asked', pauseS: PAUSE_S},
			{
				headers: [
					['Cache-Control', directives],
					['Date', 0],
				],
				expect: 'cached',
				pauseS: PAUSE_S,
			},
			{expect: 'cached'},
		],
	};
}

export const PRAGMA: readonly Case[] = [
	reused(
		'pragma-response-no-cache',
		'check',
		'Pragma says nothing beside Cache-Control',
		[
			['Cache-Control', 'max-age=3600'],
			['Pragma', 'no-cache'],
		],
		AT_ONCE,
	),
	reused(
		'pragma-response-no-cache-heuristic',
		'check',
		'Pragma: no-cache says nothing by itself',
		[
			['Date', 0],
			['Last-Modified', -10_000],
			['Pragma', 'no-cache'],
		],
		{...AT_ONCE, deviates: 'where there is no Cache-Control it is taken for one'},
	),
	reused(
		'pragma-response-extension',
		'check',
		'a Pragma that nobody knows says nothing',
		[
			['Cache-Control', 'max-age=3600'],
			['Pragma', 'unrecognised-extension'],
		],
		AT_ONCE,
	),
];

const STALE: readonly Field[] = [
	['Expires', -5000],
	['Last-Modified', -100_000],
	['Date', 0],
];
const NO_FILE = 'an answer with this status is no file: it is an error, and none but 404 and 410 is remembered';
const MUST_UNDERSTAND: readonly Field[] = [['Cache-Control', 'max-age=3600, no-store, must-understand']];

export const STATUS: readonly Case[] = [
	...[200, 203, 404, 410].map(status => lasting(status)),
	...[204, 299, 400, 499, 500, 502, 503, 504, 599].map(status => lasting(status, {deviates: NO_FILE})),
	...[200, 203, 204, 299, 400, 404, 410, 499, 500, 502, 503, 504, 599].map(status =>
		replaced(`status-${status}-stale`, `a ${status} that is stale is not reused`, {
			status,
			headers: STALE,
			pauseS: PAUSE_S,
		}),
	),
	replaced('status-599-must-understand', 'must-understand does not keep a status that nobody knows', {
		status: 599,
		headers: MUST_UNDERSTAND,
	}),
	reused(
		'status-200-must-understand',
		'optimal',
		'must-understand overrules no-store for a 200',
		MUST_UNDERSTAND,
		AT_ONCE,
	),
];

function lasting(status: number, common?: Parameters<typeof reused>[4]): Case {
	const name = `a ${status} that is fresh is reused`;
	return reused(`status-${status}-fresh`, 'optimal', name, FRESH, {status, ...common});
}

/** The next request is answered 200. */
function replaced(id: string, name: string, first: Omit<Step, 'expect'>): Case {
	return {id, kind: 'required', name, steps: [{...first, expect: 'asked'}, {expect: 'asked'}]};
}

export const PARTIAL: readonly Case[] = [
	part('partial-store-complete-reuse-partial', 'from its beginning', [0, 2]),
	part('partial-store-complete-reuse-partial-no-last', 'up to its end', [1, 11]),
	part('partial-store-complete-reuse-partial-suffix', 'of its end', [10, 11]),
];

function part(id: string, which: string, range: readonly [number, number]): Case {
	const name = `a part ${which} is read from what is kept`;
	const first: Step = {headers: [['Cache-Control', 'max-age=3600']], body: '0123456789A', expect: 'asked'};
	return {id, kind: 'optimal', name, steps: [first, {part: range, expect: 'cached'}]};
}

const ATTACHED: Field = ['Content-Disposition', 'attachment; filename=example.txt'];

export const OTHER: readonly Case[] = [
	{
		id: 'query-args-different',
		kind: 'required',
		name: 'URLs that differ in their query are two',
		steps: [
			{query: 'test=1', headers: FRESH, expect: 'asked', pauseS: PAUSE_S},
			{query: 'test=2', expect: 'asked'},
		],
	},
	{
		id: 'query-args-same',
		kind: 'optimal',
		name: 'a URL with a query is reused',
		steps: [
			{query: 'test=1', headers: FRESH, expect: 'asked', pauseS: PAUSE_S},
			{query: 'test=1', expect: 'cached'},
		],
	},
	reused(
		'other-heuristic-content-disposition-attachment',
		'check',
		'an attachment without a lifetime is reused for as long as its Last-Modified lets guess',
		[['Last-Modified', -100_000], ['Date', 0], ATTACHED],
		AT_ONCE,
	),
	reused('other-fresh-content-disposition-attachment', 'check', 'an attachment is reused', [...FRESH, ATTACHED]),
	reused('other-set-cookie', 'optimal', 'an answer that sets a cookie is reused', [...FRESH, ['Set-Cookie', 'a=b']]),
	{
		id: 'other-cookie',
		kind: 'optimal',
		name: 'an answer is reused for a request with a cookie',
		steps: [
			{headers: FRESH, expect: 'asked', pauseS: PAUSE_S},
			{request: {Cookie: 'a=b'}, expect: 'cached'},
		],
	},
];

export const INTERIM: readonly Case[] = [
	{
		id: 'interim-not-cached',
		kind: 'required',
		name: 'of an answer before the answer nothing is kept',
		steps: [{interim: 103, headers: FRESH, expect: 'asked', pauseS: PAUSE_S}, {expect: 'cached'}],
	},
];
