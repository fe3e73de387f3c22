/** Reading anywhere in a body whose parts are refused, for a while or always. */
import test, {type ExecutionContext} from 'ava';
import type {FillMode} from '../../../src/cache/fill-mode.js';
import {openCache} from '../../../src/library/open.js';
import {MIB, temporaryDirectory} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import type {Behaviour} from '../../helpers/origin.js';
import {isRight, isWhollyRight} from '../../helpers/right-bytes.js';
import {until} from '../../helpers/until.js';

const SIZE = 60 * MIB;
const FILM: Behaviour = {size: SIZE, ranges: true, etag: '"one"'};
const UNASKED_BYTES = 200_000;
/** More than for what a connection is held. */
const HELD_MS = 200;
const DEADLINE_MS = 40_000;

async function setUp(t: ExecutionContext, behaviour: Behaviour, fill: FillMode) {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, fill, http: {retries: 0}});
	t.teardown(() => cache.close());
	const version = await cache.open(origin.serve('/film', behaviour));
	await until('what comes unasked is there', () => version.arrivedBytes >= UNASKED_BYTES);
	const startedAt = performance.now();
	await until('a connection that nobody reads from would be ended', () => performance.now() - startedAt > HELD_MS);
	return {origin, version};
}

const PLACES = {'the end, the middle': [SIZE - 1000, SIZE / 2], 'a place, one before it': [40 * MIB, 10 * MIB]};
const CUT = Array.from({length: 5}, () => ({...FILM, cutAt: 0}));

for (const fill of ['ranges', 'auto'] as const) {
	test(`with fill ${fill} a reader gets what it asks for, ahead and back, though five requests for parts were cut`, async t => {
		const {version} = await setUp(t, {...FILM, sequence: [FILM, ...CUT]}, fill);
		t.true(await isRight(version, 40 * MIB, 1000, AbortSignal.timeout(DEADLINE_MS)));
		t.true(await isRight(version, 10 * MIB, 1000, AbortSignal.timeout(DEADLINE_MS)));
		version.close();
	});

	for (const [where, places] of Object.entries(PLACES)) {
		test(`with fill ${fill} a reader gets ${where}, and all of a body whose origin ignores ranges`, async t => {
			const {origin, version} = await setUp(t, {size: SIZE, etag: '"one"'}, fill);
			for (const position of places) t.true(await isRight(version, position, 1000, AbortSignal.timeout(DEADLINE_MS)));
			t.true(await isWhollyRight(version, AbortSignal.timeout(DEADLINE_MS)));
			if (fill === 'auto') t.true(origin.bytesSent < 1.5 * SIZE, `${origin.bytesSent}`);
			version.close();
		});
	}
}
