/** Other programs use the catalogue's database: nobody who reads waits for them, and nothing is lost to them. */
import {readFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {allocatedOnDisk, entryFiles, MIB, openStore, put, temporaryDirectory} from '../helpers/cache.js';
import {evaluate, fetchAll, sha256, startDrive, testWith} from '../helpers/drive.js';
import type {Mount} from '../helpers/mount.js';
import {generatedBody} from '../helpers/origin.js';
import {until} from '../helpers/until.js';
import {askCatalogue, holdWriteLock} from '../helpers/write-lock.js';

/** Far more than any of the operations takes, and less than anybody waits for a lock. */
const DELAYED_MS = 3000;
/** Longer than SQLite's bindings wait for a lock unless told otherwise (5 s), so that a writer that gives up would be seen. */
const HELD_MS = 6000;
/** New URLs that are read meanwhile, one after another. */
const COLD = 8;

/** How long an operation took in milliseconds, and what came of it. */
interface Timed {
	readonly ms: number;
	readonly result: string;
}

/** Runs JavaScript on `f` in a process that may hang without harm, and says how long it took there. */
async function timed(expression: string, file: string): Promise<Timed> {
	const program = `{
		const startedAt = performance.now();
		const value = ${expression};
		return JSON.stringify({ms: performance.now() - startedAt, result: String(value)});
	}`;
	const answer = await evaluate(`(() => ${program})()`, [file]);
	return answer.startsWith('{') ? (JSON.parse(answer) as Timed) : {ms: Infinity, result: answer};
}

const DIGEST = 'require("crypto").createHash("sha256").update(fs.readFileSync(f)).digest("hex")';

class Stopwatch {
	readonly #slowest = new Map<string, number>();

	constructor(
		private readonly t: ExecutionContext,
		private readonly mount: Mount,
	) {}

	async read(what: string, url: string, size: number): Promise<void> {
		await this.#expect(what, DIGEST, this.mount.path(url), sha256(generatedBody(size)));
	}

	async stat(url: string, size: number): Promise<void> {
		await this.#expect('stat', 'fs.statSync(f).size', this.mount.path(url), `${size}`);
	}

	async list(directory: string, entries: number): Promise<void> {
		await this.#expect('ls', 'fs.readdirSync(f).length', path.join(this.mount.directory, directory), `${entries}`);
	}

	async stats(entries: number): Promise<void> {
		const file = path.join(this.mount.directory, 'stats.json');
		await this.#expect('stats', 'JSON.parse(fs.readFileSync(f)).entries', file, `${entries}`);
	}

	/** Says what took how long, and asserts that nothing took too long. */
	end(): void {
		for (const [what, ms] of this.#slowest) this.t.log(`${what}: ${ms.toFixed(1)} ms at most`);
		for (const [what, ms] of this.#slowest) this.t.true(ms < DELAYED_MS, `${what}: ${ms} ms`);
	}

	async #expect(what: string, expression: string, file: string, expected: string): Promise<void> {
		const {ms, result} = await timed(expression, file);
		this.t.is(result, expected, what);
		this.#slowest.set(what, Math.max(ms, this.#slowest.get(what) ?? 0));
	}
}

/** The catalogue has a row for each entry on the disk, and for nothing else. */
async function assertCaughtUp(t: ExecutionContext, cacheDir: string): Promise<void> {
	const expected = () => `${entryFiles(cacheDir).length / 2}`;
	const rows = () => askCatalogue(cacheDir, 'SELECT count(*) FROM entries');
	await until('it has', async () => (await rows()) === expected(), 10_000).catch(() => undefined);
	t.is(await rows(), expected());
}

testWith(
	['python3'],
	'while another process holds the write lock of the catalogue no read, open, stat or listing waits, and afterwards the catalogue catches up',
	async t => {
		const {mount, origin} = await startDrive(t);
		const warm = [1, 100_000, 3_000_000].map(size => ({size, url: origin.serve(`/warm/${size}`, {size})}));
		await fetchAll(mount, ...warm.map(({url}) => url));
		const watch = new Stopwatch(t, mount);
		const letGo = await holdWriteLock(t, mount.cacheDir);
		const heldUntil = performance.now() + HELD_MS;
		let entries = warm.length;
		for (let round = 0; round < COLD || performance.now() < heldUntil; round++) {
			for (const {url, size} of warm) await watch.read('warm read', url, size);
			for (const {url, size} of warm) await watch.stat(url, size);
			if (round < COLD) {
				const size = 1000 + 50_000 * round;
				const cold = origin.serve(`/cold/${round}`, {size});
				await watch.stat(cold, 0);
				await watch.read('cold read', cold, size);
				await watch.read('read after that', cold, size);
				entries++;
			}

			await watch.list('by-url', entries);
			await watch.list('by-key', entries);
			await watch.stats(entries);
		}

		watch.end();
		t.is(origin.requests.length, entries);
		await letGo();
		await assertCaughtUp(t, mount.cacheDir);
		t.is(await mount.stop(), 0);
	},
);

testWith(
	['python3'],
	'while another process holds the write lock of the catalogue a new URL is read also from a full store, without waiting',
	async t => {
		const {mount, origin} = await startDrive(t, {flags: ['--max-size', '1MB']});
		const size = 100_000;
		const [first, ...others] = Array.from({length: 9}, (_, index) => origin.serve(`/old/${index}`, {size}));
		await fetchAll(mount, first ?? '', ...others);
		await until('it is full', () => allocatedOnDisk(mount.cacheDir) > MIB - size - 8192);
		const watch = new Stopwatch(t, mount);
		const letGo = await holdWriteLock(t, mount.cacheDir);
		for (let index = 0; index < 15; index++) {
			await watch.read('cold read', origin.serve(`/new/${index}`, {size}), size);
		}

		const large = origin.serve('/large', {size: 700_000});
		await watch.read('large cold read', large, 700_000);
		watch.end();
		await until('the budget is kept meanwhile', () => allocatedOnDisk(mount.cacheDir) <= MIB);
		await letGo();
		await until('the budget is kept', () => allocatedOnDisk(mount.cacheDir) <= MIB);
		await assertCaughtUp(t, mount.cacheDir);
		t.is((await mount.stats())['used_bytes'], allocatedOnDisk(mount.cacheDir));
		const sidecars = entryFiles(mount.cacheDir).filter(name => name.endsWith('.json'));
		const stored = sidecars.map(name => readFileSync(path.join(mount.cacheDir, name), 'utf8'));
		t.true(stored.some(text => text.includes(large)));
		t.is(await mount.stop(), 0);
	},
);

testWith(
	['python3'],
	'a program that reads the catalogue and closes it takes nothing away from those that have it open',
	async t => {
		const directory = temporaryDirectory(t);
		const store = openStore(t, {directory});
		await store.load();
		for (let index = 0; index < 5; index++) {
			await put(store, `https://a.example/${index}`, 'x');
			// Who closes a database as the last one removes its log: https://www.sqlite.org/wal.html
			await assertCaughtUp(t, directory);
		}

		const beside = openStore(t, {directory});
		await beside.load();
		t.is(beside.totals.entries, 5);
	},
);
