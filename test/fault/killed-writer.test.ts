import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import test from 'ava';
import {
	allocatedOnDisk,
	entryFiles,
	get,
	leftovers,
	openStore,
	temporaryDirectory,
	TestClock,
} from '../helpers/cache.js';
import {scanLikeOriginal} from '../helpers/original.js';
import {until} from '../helpers/until.js';

const WRITER = new URL('../helpers/keep-writing.js', import.meta.url).pathname;
const ROUNDS = 6;

/** Starts the writer, and kills it in the middle of the entry after `count` entries. */
async function writeAndKill(directory: string, count: number): Promise<void> {
	const child = spawn(process.execPath, [WRITER, directory], {stdio: ['ignore', 'pipe', 'inherit']});
	const exited = once(child, 'exit');
	let written = 0;
	createInterface({input: child.stdout}).on('line', () => {
		if (++written === count) child.kill('SIGKILL');
	});
	await exited;
}

test('M2: after kill -9 of a writer every entry is whole, nothing is left over, and the totals are those of the disk', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	clock.advance(61_000);
	for (let round = 0; round < ROUNDS; round++) {
		await writeAndKill(directory, 5 + 11 * round);
		const store = openStore(t, {directory, clock});
		await store.load();
		for (const {sidecar} of [...store.entries()]) {
			const body = (await get(store, sidecar.url)) ?? '';
			const [, length = '', count = ''] = /^(\d+) bytes of (\d+)\n/.exec(body) ?? [];
			const digit = count.slice(-1);
			t.is(body, `${length} bytes of ${count}\n${digit.repeat(Number(length))}`, sidecar.url);
		}

		const {entries} = store.totals;
		t.true(entries >= 5);
		await until('what was half done is gone', () => entryFiles(directory).length === 2 * entries);
		t.deepEqual(leftovers(directory), []);
		t.is(store.usedBytes, allocatedOnDisk(directory));
		t.is(scanLikeOriginal(directory).size, entries);
		await store.close();
	}
});
