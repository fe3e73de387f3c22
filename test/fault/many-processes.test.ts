/** Several processes at random work on one cache directory: they share its entries and its budget. */
import test, {type ExecutionContext} from 'ava';
import {allocatedOnDisk, MIB, temporaryDirectory} from '../helpers/cache.js';
import {serveChecked} from '../helpers/checked-origin.js';
import {ChurningProcesses, logSeed} from '../helpers/churning-processes.js';
import {startOrigin} from '../helpers/drive.js';
import {ForkedCache} from '../helpers/forked-cache.js';
import {assertSound, totalsOnDisk} from '../helpers/sound-store.js';
import {until} from '../helpers/until.js';

const PROCESSES = 4;
const LENGTHS = [200, 5000, 100_000, 300_000, 400_000];
/** The longest of them, with what its version adds, and its sidecar. */
const LARGEST_BYTES = 416_000;
const URLS = 30;
/** About half of what the URLs come to: 30 of 161,040 bytes on the average, and 8 of the processes' own. */
const LIMIT_BYTES = 3 * MIB;
const OPERATIONS = 200;
const KILLS = 6;

/** Four processes that have had their time at one directory, and are still there. */
async function churn(t: ExecutionContext, directory: string, kills: number): Promise<ChurningProcesses> {
	const [seed, origin] = [logSeed(t), await startOrigin(t)];
	const lengthOf = (index: number) => LENGTHS[index % LENGTHS.length] ?? 0;
	const shared = Array.from({length: URLS}, (_, index) => serveChecked(origin, `/${index}`, lengthOf(index)));
	const processes = new ChurningProcesses(t, {
		...{directory, seed, shared, kills, limitBytes: LIMIT_BYTES, processes: PROCESSES, lengths: LENGTHS},
		// All of so small a budget may be in use by what the four have open.
		...{operations: OPERATIONS, tolerated: ['no-space']},
	});
	await processes.run();
	t.log(`${processes.reads} reads, ${processes.mostBytes} bytes at most`);
	t.deepEqual(processes.wrong, []);
	t.true(processes.reads > 100);
	// Beside the budget each process may just be storing one entry that the others cannot know of.
	t.true(processes.mostBytes <= LIMIT_BYTES + PROCESSES * LARGEST_BYTES);
	const stats = await Promise.all(processes.alive.map(one => one.ask('stats')));
	t.true(
		stats.some(({evicted}) => evicted > 0),
		'the budget was full',
	);
	return processes;
}

test.serial(
	'four processes that fetch, store, read and evict at random never read a wrong byte, keep one budget, and agree on what there is',
	async t => {
		const directory = temporaryDirectory(t);
		const processes = await churn(t, directory, 0);
		await until('the budget is kept', () => allocatedOnDisk(directory) <= LIMIT_BYTES);
		const expected = {...totalsOnDisk(directory), used_bytes: allocatedOnDisk(directory)};
		for (const one of processes.alive) {
			const stats = async () => {
				const {entries, total_bytes, allocated_bytes, used_bytes} = await one.ask('stats');
				return {entries, total_bytes, allocated_bytes, used_bytes};
			};
			const agrees = async () => JSON.stringify(await stats()) === JSON.stringify(expected);
			await until('it agrees', agrees).catch(() => undefined);
			t.deepEqual(await stats(), expected);
		}

		t.deepEqual(await processes.close(), [0, 0, 0, 0]);
		await assertSound(t, directory, LIMIT_BYTES);
	},
);

test.serial(
	'when some of four processes are killed at any moment the others never read a wrong byte, and who comes later finds a sound store',
	async t => {
		const directory = temporaryDirectory(t);
		const processes = await churn(t, directory, KILLS);
		// What a kill has left half done is no entry, and is cleared by who comes later.
		await until('the budget is kept', () => totalsOnDisk(directory).allocated_bytes <= LIMIT_BYTES);
		t.deepEqual(await processes.close(), [0, 0, 0, 0]);
		await assertSound(t, directory, LIMIT_BYTES);
	},
);

function start(t: ExecutionContext, directory: string, limitBytes: number, count: number): Promise<ForkedCache[]> {
	const slots = Array.from({length: count}, (_, slot) => slot);
	return Promise.all(slots.map(slot => ForkedCache.start(t, {directory, limitBytes, slot, seed: slot, firstCount: 0})));
}

test.serial(
	'four processes that each store what fills half of the budget keep one budget, and evict little more than they must',
	async t => {
		const directory = temporaryDirectory(t);
		const processes = await start(t, directory, LIMIT_BYTES, PROCESSES);
		const store = async (one: ForkedCache, slot: number) => {
			for (let index = 0; index < 15; index++) {
				await one.ask('store', `http://own.example/${slot}/${index}`, `p${slot}-1`, 100_000);
			}
		};
		await Promise.all(processes.map(store));
		await until('the budget is kept', () => allocatedOnDisk(directory) <= LIMIT_BYTES);
		// Each may have made room for what the others held a moment before: an entry each, and its draft.
		t.true(allocatedOnDisk(directory) >= LIMIT_BYTES - 2 * PROCESSES * 110_000, `${allocatedOnDisk(directory)} bytes`);
		t.deepEqual(await Promise.all(processes.map(one => one.close())), [0, 0, 0, 0]);
		await assertSound(t, directory, LIMIT_BYTES);
	},
);

test.serial('four processes that open one new directory at the same moment all get to use it', async t => {
	for (let round = 0; round < 8; round++) {
		const directory = temporaryDirectory(t);
		const processes = await start(t, directory, LIMIT_BYTES, PROCESSES);
		await Promise.all(processes.map((one, slot) => one.ask('store', `http://a.example/${slot}`, 'p-1', 1000)));
		t.deepEqual(await Promise.all(processes.map(one => one.close())), [0, 0, 0, 0]);
		t.is(totalsOnDisk(directory).entries, PROCESSES);
	}
});

test.serial('what one process has stored, replaced or evicted another finds at once', async t => {
	const directory = temporaryDirectory(t);
	const [writer, reader] = await start(t, directory, 64 * MIB, 2);
	if (writer === undefined || reader === undefined) throw new Error('there are two');
	const url = 'http://a.example/a';
	for (let count = 1; count <= 50; count++) {
		await writer.ask('store', url, `p-${count}`, 1000 + count);
		t.is(await reader.ask('readStored', url), `p-${count}`);
		if (count % 5 > 0) continue;
		t.true(await writer.ask('evict', url));
		t.is(await reader.ask('readStored', url), null);
	}
});
