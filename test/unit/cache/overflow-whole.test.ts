/** Waiting for all of a body that the disk does not take, or takes in the end. */
import test, {type ExecutionContext} from 'ava';
import type {FillMode} from '../../../src/cache/fill-mode.js';
import {openCache} from '../../../src/library/open.js';
import {entryFiles, failsWith, keptFiles, leftovers, MIB, temporaryDirectory} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import type {Behaviour} from '../../helpers/origin.js';
import {isRight, isWhollyRight} from '../../helpers/right-bytes.js';
import {until} from '../../helpers/until.js';

async function setUp(t: ExecutionContext, maxBytes: number, fill: FillMode = 'auto') {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, fill, http: {retries: 0}, limits: {maxBytes}});
	t.teardown(() => cache.close());
	return {cache, origin, directory};
}

for (const fill of ['auto', 'whole', 'ranges'] as const) {
	test(`with fill ${fill} who waits for all of a body larger than the budget hears that it is too large, and reads on`, async t => {
		const {cache, origin} = await setUp(t, 16 * MIB, fill);
		const url = origin.serve('/large', {size: 40 * MIB, ranges: true, etag: '"one"'});
		const version = await cache.open(url);
		await failsWith(t, 'too-large', version.whole(AbortSignal.timeout(20_000)));
		t.true(await isRight(version, 39 * MIB, MIB));
		t.true(await isRight(version, 0, 18 * MIB));
		await failsWith(t, 'too-large', version.whole(AbortSignal.timeout(20_000)));
		version.close();
		t.is(cache.stats().entries, 0);
	});
}

const SIZE = 12 * MIB;
/** A place that is fetched by itself, so far from the end that one more request for who reads on brings the rest. */
const PLACE = SIZE - 1280 * 1024;
const PLACE_BYTES = 512 * 1024;

test('a body whose last part comes by a seek, once the disk that took no more of it has room again, is whole and stored', async t => {
	const {cache, origin, directory} = await setUp(t, Infinity);
	const open = await cache.open(origin.serve('/open', {size: 14 * MIB}));
	await open.whole();
	// Just what comes before the last part fits.
	await cache.setLimits({maxBytes: cache.stats().used_bytes + PLACE + PLACE_BYTES + 16 * 1024});
	const film: Behaviour = {size: SIZE, ranges: true, etag: '"one"'};
	const url = origin.serve('/film', {...film, sequence: [{...film, rate: 8 * MIB}]});
	const version = await cache.open(url);
	const whole = failsWith(t, 'no-space', version.whole(AbortSignal.timeout(20_000)));
	t.true(await isRight(version, PLACE + 1000, 1000));
	await whole;
	t.is(version.arrivedBytes, PLACE + PLACE_BYTES);
	open.close();
	t.true(await isRight(version, PLACE + PLACE_BYTES - 1000, 1000));
	await until('all is there', () => version.arrivedBytes === SIZE);
	await version.whole(AbortSignal.timeout(20_000));
	t.is(version.entry?.sizeBytes, SIZE);
	t.true(await isWhollyRight(version));
	version.close();
	await until('nothing is left', () => leftovers(directory).length === 0);
	t.deepEqual(keptFiles(directory), []);
	t.is(entryFiles(directory).length, 2);
});
