import test from 'ava';
import fc from 'fast-check';
import {keyOf} from '../../../src/store/key.js';
import {parseSidecar, renderSidecar} from '../../../src/store/sidecar.js';

const URL_A = 'https://a.example/a';
const KEY = keyOf(URL_A);
const text = (fields: object) => JSON.stringify({url: URL_A, ...fields});

test('a sidecar reads back as it was written, with the fields that larder does not know', t => {
	const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
	t.log(`SEED=${seed}`);
	const headerName = fc.stringMatching(/^[a-z-]+$/);
	const sidecar = fc.record({
		url: fc.string({unit: 'binary'}).filter(url => url.isWellFormed()),
		mimetype: fc.string(),
		filename: fc.string({unit: 'binary'}),
		size: fc.option(fc.maxSafeNat(), {nil: undefined}),
		ts: fc.double({min: 0, max: 1e10, noNaN: true}),
		stored: fc.option(fc.double({min: 0, max: 1e10, noNaN: true}), {nil: undefined}),
		origin: fc.record({length: fc.nat(), etag: fc.string(), lastModified: fc.nat()}, {requiredKeys: []}),
		http: fc.option(
			fc.record({
				received: fc.double({min: 0, max: 1e10, noNaN: true}),
				headers: fc.dictionary(headerName, fc.string()),
				varied: fc.dictionary(headerName, fc.string()),
			}),
			{nil: undefined},
		),
		isPut: fc.boolean(),
		pinned: fc.boolean(),
		tags: fc.uniqueArray(fc.string()).map(tags => tags.sort()),
		durable: fc.boolean(),
		others: fc.dictionary(
			fc
				.string()
				.filter(
					name => !/^(url|mimetype|filename|size|ts|stored|origin|http|put|pinned|tags|durable|__proto__)$/.test(name),
				),
			fc.jsonValue(),
		),
	});
	const property = fc.property(sidecar, one => {
		const again = parseSidecar(renderSidecar(one), keyOf(one.url));
		t.deepEqual(renderSidecar(again), renderSidecar(one));
	});
	fc.assert(property, {seed, numRuns: 300});
	t.pass();
});

test("what the original does not say has the original's defaults", t => {
	const sidecar = parseSidecar(text({}), KEY);
	t.deepEqual(sidecar, {
		...{url: URL_A, mimetype: 'application/octet-stream', filename: 'attachment', size: undefined, ts: 0},
		...{
			stored: undefined,
			origin: {},
			http: undefined,
			isPut: false,
			pinned: false,
			tags: [],
			durable: false,
			others: {},
		},
	});
});

test('what cannot be the sidecar of its key is refused, with the reason', t => {
	const wrong: Record<string, RegExp> = {
		'': /not JSON/,
		'\ufeff{}': /not JSON/,
		'[]': /not a JSON object/,
		'null': /not a JSON object/,
		'{}': /url is not a string/,
		'{"url":"https://a.example/b"}': /not the one the file is named after/,
		'{"url":"\\ud800"}': /not the one the file is named after/,
		[text({size: -1})]: /size/,
		[text({size: 1.5})]: /size/,
		[text({size: true})]: /size/,
		[text({ts: null})]: /ts is not a time/,
		[text({ts: 9e12})]: /ts is not a time/,
		[text({stored: 'x'})]: /stored is not a time/,
		[text({filename: 1})]: /filename/,
	};
	for (const [one, message] of Object.entries(wrong)) {
		t.throws(() => parseSidecar(one, KEY), {code: 'corrupt-entry', message}, one);
	}
});

test('what is said of the origin and cannot be is left out, and refuses nothing', t => {
	const origin = '{"length":-1,"etag":5,"lastModified":1e400}';
	t.deepEqual(parseSidecar(`{"url":"${URL_A}","origin":${origin}}`, KEY).origin, {});
	t.deepEqual(parseSidecar(text({origin: 'x'}), KEY).origin, {});
	t.deepEqual(parseSidecar(text({origin: {length: 1, etag: 'e', lastModified: 2}}), KEY).origin, {
		...{length: 1, etag: 'e', lastModified: 2},
	});
});
