/** Several processes that want one URL: one of them downloads it, for all. */
import test, {type ExecutionContext} from 'ava';
import {once} from 'node:events';
import {leftovers, MIB, temporaryDirectory} from '../helpers/cache.js';
import {checkedBody} from '../helpers/checked-body.js';
import {ORIGIN_VERSION, serveChecked} from '../helpers/checked-origin.js';
import {startOrigin} from '../helpers/drive.js';
import {ForkedCache} from '../helpers/forked-cache.js';
import {assertSound} from '../helpers/sound-store.js';
import {until} from '../helpers/until.js';

const PROCESSES = 4;
const LIMIT_BYTES = 64 * MIB;
const LARGE_BYTES = 2_000_000;
const ALL_RIGHT = Array.from({length: PROCESSES}, () => ORIGIN_VERSION);

function startFour(t: ExecutionContext, directory: string): Promise<ForkedCache[]> {
	const slots = Array.from({length: PROCESSES}, (_, slot) => slot);
	return Promise.all(
		slots.map(slot => ForkedCache.start(t, {directory, limitBytes: LIMIT_BYTES, slot, seed: slot, firstCount: 0})),
	);
}

async function closeAll(t: ExecutionContext, directory: string, processes: readonly ForkedCache[]): Promise<void> {
	const codes = await Promise.all(processes.map(one => one.close()));
	t.deepEqual(
		codes,
		processes.map(() => 0),
	);
	await assertSound(t, directory, LIMIT_BYTES);
}

test.serial('a slow URL that four processes open at once is requested once, and all four get its bytes', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const url = serveChecked(origin, '/slow', LARGE_BYTES, {rate: 2_000_000});
	const processes = await startFour(t, directory);
	t.deepEqual(await Promise.all(processes.map(one => one.ask('read', url))), ALL_RIGHT);
	t.is(origin.requests.length, 1);
	t.deepEqual(await Promise.all(processes.map(one => one.ask('readStored', url))), ALL_RIGHT);
	await closeAll(t, directory, processes);
});

test.serial('quick URLs that four processes open at once are requested once each', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const processes = await startFour(t, directory);
	for (let index = 0; index < 40; index++) {
		const url = serveChecked(origin, `/${index}`, 1000 * index);
		t.deepEqual(await Promise.all(processes.map(one => one.ask('read', url))), ALL_RIGHT);
		t.is(origin.requestsOf(`/${index}`).length, 1, url);
	}

	await closeAll(t, directory, processes);
});

test.serial('processes that follow the download of another have its first bytes before its last have come', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const url = origin.url('/half');
	const body = checkedBody(url, ORIGIN_VERSION, LARGE_BYTES);
	const rest = new EventTarget();
	origin.serve('/half', {
		handle(_request, response) {
			const disposition = `attachment; filename="${ORIGIN_VERSION}.bin"`;
			response.writeHead(200, {'content-length': body.length, 'content-disposition': disposition});
			response.write(body.subarray(0, body.length / 2));
			void once(rest, 'come').then(() => response.end(body.subarray(body.length / 2)));
		},
	});
	const processes = await startFour(t, directory);
	const reads = Promise.all(processes.map(one => one.ask('read', url)));
	await until('all four have the first quarter', () => processes.every(one => one.begun.includes(url)));
	rest.dispatchEvent(new Event('come'));
	t.deepEqual(await reads, ALL_RIGHT);
	t.is(origin.requests.length, 1);
	await closeAll(t, directory, processes);
});

test.serial(
	'when the process that downloads is killed, one of those that follow goes on, and all get the right bytes',
	async t => {
		const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
		const stalled = {stallAt: LARGE_BYTES / 2};
		const url = serveChecked(origin, '/stalled', LARGE_BYTES, {ranges: true, etag: '"1"'}, [stalled]);
		const [owner, ...followers] = await startFour(t, directory);
		const lost = owner?.ask('read', url).catch(() => 'lost');
		await origin.received('/stalled');
		const reads = Promise.all(followers.map(one => one.ask('read', url)));
		await until('it has begun', () => leftovers(directory).length > 0);
		await owner?.kill();
		t.is(await lost, 'lost');
		t.deepEqual(await reads, ALL_RIGHT.slice(1));
		t.is(origin.requests.length, 2);
		await closeAll(t, directory, followers);
	},
);

test.serial('a refusal by the origin ends the wait of all four processes, and is not remembered', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const url = serveChecked(
		origin,
		'/later',
		1000,
		{},
		Array.from({length: PROCESSES}, () => ({status: 403, delayMs: 200})),
	);
	const processes = await startFour(t, directory);
	const reads = await Promise.allSettled(processes.map(one => one.ask('read', url)));
	t.true(reads.some(({status}) => status === 'rejected'));
	t.true(origin.requests.length <= PROCESSES);
	for (let attempt = 0; attempt < PROCESSES; attempt++) await processes[0]?.ask('read', url).catch(() => 'refused');
	t.deepEqual(await Promise.all(processes.map(one => one.ask('read', url))), ALL_RIGHT);
	await closeAll(t, directory, processes);
});
