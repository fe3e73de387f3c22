/** One test at a time: some hold the thread up, all of which are of one process. */
import {existsSync, rmSync} from 'node:fs';
import {monitorEventLoopDelay} from 'node:perf_hooks';
import {setImmediate} from 'node:timers/promises';
import type {Worker} from 'node:worker_threads';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {NO_LOG} from '../../../src/base/log.js';
import {openDatabase} from '../../../src/sqlite/open.js';
import {Catalogue, type Totals} from '../../../src/store/catalogue.js';
import type {Entry} from '../../../src/store/entry.js';
import {inspect} from '../../../src/store/inspect.js';
import {keyOf} from '../../../src/store/key.js';
import {Layout} from '../../../src/store/layout.js';
import {POLICIES, type PolicyName, type Use} from '../../../src/store/policies.js';
import {assertAlways, SEED} from '../../helpers/always.js';
import {openStore, put, recordingLog, temporaryDirectory} from '../../helpers/cache.js';
import {ForkedProcess} from '../../helpers/forked-process.js';
import {makeEntry, type MadeEntry} from '../../helpers/made-entry.js';
import {sh} from '../../helpers/run.js';
import {until} from '../../helpers/until.js';

const [A, B, C] = ['https://a.example/a', 'https://a.example/b', 'https://a.example/c'] as const;
const ORDERS = (Object.keys(POLICIES) as PolicyName[]).filter(policy => policy !== 'none');

function layoutOf(t: ExecutionContext, directory = temporaryDirectory(t)): Layout {
	const layout = new Layout(directory);
	layout.create();
	return layout;
}

function open(t: ExecutionContext, layout = layoutOf(t), log = NO_LOG): Catalogue {
	const catalogue = new Catalogue(layout, log);
	t.teardown(() => catalogue.close());
	return catalogue;
}

const set = (catalogue: Catalogue, made: MadeEntry) => catalogue.set(makeEntry(made));
const leaving = (catalogue: Catalogue, policy: PolicyName = 'least-recently-used') =>
	Array.from(catalogue.leaving(policy), ({entry}) => entry.sidecar.url);
const listed = (catalogue: Catalogue) => Array.from(catalogue.entries(), ({sidecar}) => sidecar.url).sort();

/** What must hold before a write, while it is under way or done and not heard of yet, and after it. */
async function throughout(catalogue: Catalogue, check: (when: string) => void): Promise<void> {
	check('before the write');
	let isWritten = false;
	const written = catalogue.flush().finally(() => (isWritten = true));
	for (let turn = 0; !isWritten; turn++) {
		if (turn < 4) standStill(5);
		check('during the write');
		await setImmediate();
	}

	await written;
	check('after the write');
}

/** Lets the thread that writes get ahead of this one. */
function standStill(ms: number): void {
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test.serial('what was set is there at once and stays, as it was set, and what was deleted is not', async t => {
	const catalogue = open(t);
	const entry = makeEntry({url: A, sizeBytes: 5, allocatedBytes: 4096, storedAtMs: 1500, accessedAtMs: 2500});
	catalogue.set(entry);
	await throughout(catalogue, when => t.deepEqual(catalogue.get(entry.key), entry, when));
	catalogue.delete(entry.key);
	await throughout(catalogue, when => t.is(catalogue.get(entry.key), undefined, when));
	t.deepEqual(listed(catalogue), []);
});

test.serial('a second catalogue of the directory has it once it is flushed', async t => {
	const layout = layoutOf(t);
	const [first, second] = [open(t, layout), open(t, layout)];
	const entry = makeEntry({url: A});
	first.set(entry);
	first.touch(entry.key, 5000);
	await first.flush();
	t.deepEqual(second.get(entry.key), entry);
	t.deepEqual(second.use(entry.key), {stored_at: 0, accessed_at: 5000, accesses: 1});
	t.is(second.totals.entries, 1);
	t.deepEqual(listed(second), [A]);
	second.delete(entry.key);
	await second.flush();
	t.is(first.get(entry.key), undefined);
	t.is(first.totals.entries, 0);
});

test.serial('what is noted is written soon, also if nobody asks for it', async t => {
	const layout = layoutOf(t);
	const [first, second] = [open(t, layout), open(t, layout)];
	set(first, {url: A});
	await until('it is written', () => second.get(keyOf(A)) !== undefined, 2000);
	first.touch(keyOf(A), 7000);
	await until('so is the access', () => second.use(keyOf(A))?.accessed_at === 7000, 4000);
	t.pass();
});

test.serial('totals are the sums, also after a replacement, and deleting twice counts once', async t => {
	const catalogue = open(t);
	const step = async (change: () => void, entries: number, sizeBytes: number, allocatedBytes: number) => {
		change();
		await throughout(catalogue, when => t.deepEqual(catalogue.totals, {entries, sizeBytes, allocatedBytes}, when));
	};
	await step(() => set(catalogue, {url: A, sizeBytes: 5, allocatedBytes: 4096}), 1, 5, 4096);
	await step(() => set(catalogue, {url: B, sizeBytes: 7, allocatedBytes: 8192}), 2, 12, 12_288);
	await step(() => set(catalogue, {url: A, sizeBytes: 9, allocatedBytes: 4096}), 2, 16, 12_288);
	await step(() => catalogue.delete(keyOf(B)), 1, 9, 4096);
	await step(() => catalogue.delete(keyOf(B)), 1, 9, 4096);
	await step(() => catalogue.delete(keyOf(C)), 1, 9, 4096);
});

/** A directory with entries under these URLs and no catalogue, and one that is open on it and knows none. */
async function withoutRows(t: ExecutionContext, ...urls: string[]): Promise<{layout: Layout; catalogue: Catalogue}> {
	const layout = layoutOf(t);
	const store = openStore(t, {directory: layout.root});
	for (const url of urls) await put(store, url, 'body');
	await store.close();
	removeCatalogue(layout);
	const catalogue = open(t, layout);
	await catalogue.register();
	return {layout, catalogue};
}

function removeCatalogue({catalogue}: Layout): void {
	for (const suffix of ['', '-wal', '-shm']) rmSync(catalogue + suffix, {force: true});
}

test.serial('what was noted and is found by a scan as well counts once, also before it is written', async t => {
	const {layout, catalogue} = await withoutRows(t, A, B);
	catalogue.set(foundEntry(layout, A));
	const scanning = catalogue.scan(false);
	for (let looks = 0; looks < 1000 && catalogue.get(keyOf(B)) === undefined; looks++) standStill(5);
	standStill(20);
	t.is(catalogue.totals.entries, 2);
	catalogue.delete(keyOf(A));
	t.is(catalogue.totals.entries, 1);
	catalogue.set(foundEntry(layout, A));
	t.is(catalogue.totals.entries, 2);
	await scanning;
	await throughout(catalogue, when => t.is(catalogue.totals.entries, 2, when));
});

test.serial('what was deleted before the catalogue was lost is not missed in the one made anew', async t => {
	const {layout, catalogue} = await withoutRows(t, A, B, C);
	await catalogue.scan(false);
	t.is(catalogue.totals.entries, 3);
	removeCatalogue(layout);
	rmSync(layout.sidecar(keyOf(A)));
	rmSync(layout.data(keyOf(A)));
	catalogue.delete(keyOf(A));
	t.is(catalogue.totals.entries, 2);
	await catalogue.scan(false);
	t.is(catalogue.totals.entries, 2);
	await throughout(catalogue, when => t.is(catalogue.totals.entries, 2, when));
});

function foundEntry(layout: Layout, url: string): Entry {
	const found = inspect(layout, keyOf(url));
	if (found.state !== 'entry') throw new Error(`there is no entry of ${url}`);
	return found.entry;
}

test.serial('totals are the sums at any moment of many writes', async t => {
	const catalogue = open(t);
	const model = new Map<string, number>();
	const expected = (): Totals => {
		const sizes = [...model.values()];
		const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
		return {entries: sizes.length, sizeBytes, allocatedBytes: 8192 * sizes.length};
	};
	let state = SEED;
	t.log(`SEED=${SEED}`);
	const random = (below: number) => {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
	for (let round = 0; round < 3000; round++) {
		const url = `https://a.example/${random(200)}`;
		if (random(3) === 0) {
			catalogue.delete(keyOf(url));
			model.delete(url);
		} else {
			const sizeBytes = random(100_000);
			set(catalogue, {url, sizeBytes});
			model.set(url, sizeBytes);
		}

		if (round % 7 === 0) catalogue.touch(keyOf(url), round);
		if (round % 100 === 0) void catalogue.flush();
		t.deepEqual(catalogue.totals, expected(), `at once, round ${round}`);
		await setImmediate();
		t.deepEqual(catalogue.totals, expected(), `a turn later, round ${round}`);
	}

	await throughout(catalogue, when => t.deepEqual(catalogue.totals, expected(), when));
	t.deepEqual(listed(catalogue), [...model.keys()].sort());
});

test.serial('what pinned entries take is a sum too', async t => {
	const catalogue = open(t);
	const pinnedIs = (bytes: number) => throughout(catalogue, when => t.is(catalogue.usage.pinnedBytes, bytes, when));
	set(catalogue, {url: A, pinned: true, allocatedBytes: 4096});
	set(catalogue, {url: B, allocatedBytes: 8192});
	await pinnedIs(4096);
	set(catalogue, {url: A, pinned: true, allocatedBytes: 12_288});
	set(catalogue, {url: B, pinned: true, allocatedBytes: 8192});
	await pinnedIs(20_480);
	set(catalogue, {url: A, allocatedBytes: 12_288});
	catalogue.delete(keyOf(B));
	await pinnedIs(0);
});

test.serial('what a process holds beside the entries the others count, until it closes', async t => {
	const layout = layoutOf(t);
	const [first, second] = [new Catalogue(layout, NO_LOG), open(t, layout)];
	first.hold(5000);
	first.hold(7000);
	await first.flush();
	t.is(second.usage.heldByOthers, 7000);
	t.is(first.usage.heldByOthers, 0);
	await first.close();
	t.is(second.usage.heldByOthers, 0);
});

test.serial('all of it survives closing and opening, and closing writes what was noted', async t => {
	const layout = layoutOf(t);
	const before = new Catalogue(layout, NO_LOG);
	set(before, {url: A, sizeBytes: 5});
	set(before, {url: B, sizeBytes: 6});
	await before.flush();
	before.delete(keyOf(A));
	before.touch(keyOf(B), 5000);
	set(before, {url: C, sizeBytes: 7});
	await before.close();
	const after = open(t, layout);
	t.deepEqual(listed(after), [B, C]);
	t.deepEqual(after.totals, {entries: 2, sizeBytes: 13, allocatedBytes: 16_384});
	t.deepEqual(after.use(keyOf(B)), {stored_at: 0, accessed_at: 5000, accesses: 1});
});

test.serial('what a process has flushed survives its kill -9', async t => {
	const [layout, other] = [layoutOf(t), ForkedProcess.start(t)];
	await other.tell('openCatalogue', layout.root);
	const urls = Array.from({length: 300}, (_, index) => `https://a.example/${index}`).sort();
	await other.tell(
		'note',
		urls.map(url => ({url})),
	);
	await other.kill();
	const catalogue = open(t, layout);
	t.deepEqual(listed(catalogue), urls);
	t.is(catalogue.totals.entries, 300);
	t.deepEqual(catalogue.others(), []);
});

test.serial('accesses add up, whoever notes them and whatever of them is written, and the last one counts', async t => {
	const layout = layoutOf(t);
	const [first, second] = [open(t, layout), open(t, layout)];
	const key = keyOf(A);
	set(first, {url: A, accessedAtMs: 1000});
	t.deepEqual(first.use(key), {stored_at: 0, accessed_at: 1000, accesses: 0});
	first.touch(key, 2000);
	first.touch(key, 3000);
	const isUsed = (accessed_at: number, accesses: number) =>
		throughout(first, when => t.deepEqual(first.use(key), {stored_at: 0, accessed_at, accesses}, when));
	await isUsed(3000, 2);
	first.touch(key, 4000);
	await isUsed(4000, 3);
	second.touch(key, 3500);
	await second.flush();
	await isUsed(4000, 4);
});

test.serial('a replacement keeps the accesses, and when it was accessed last', async t => {
	const catalogue = open(t);
	const key = keyOf(A);
	set(catalogue, {url: A, accessedAtMs: 1000});
	catalogue.touch(key, 9000);
	await catalogue.flush();
	set(catalogue, {url: A, storedAtMs: 5000, accessedAtMs: 5000});
	await throughout(catalogue, when =>
		t.deepEqual(catalogue.use(key), {stored_at: 5000, accessed_at: 9000, accesses: 1}, when),
	);
});

for (const isWritten of [true, false]) {
	test.serial(
		`what is set anew after its deletion begins anew, where the deletion ${isWritten ? 'was' : 'was not'} written in between`,
		async t => {
			const catalogue = open(t);
			const key = keyOf(A);
			set(catalogue, {url: A, accessedAtMs: 1000});
			catalogue.touch(key, 9000);
			await catalogue.flush();
			catalogue.touch(key, 9500);
			catalogue.delete(key);
			if (isWritten) await catalogue.flush();
			set(catalogue, {url: A, storedAtMs: 2000, accessedAtMs: 2000});
			catalogue.touch(key, 2000);
			await throughout(catalogue, when =>
				t.deepEqual(catalogue.use(key), {stored_at: 2000, accessed_at: 2000, accesses: 1}, when),
			);
		},
	);
}

test.serial('an access of what is not there makes nothing', async t => {
	const catalogue = open(t);
	catalogue.touch(keyOf(A), 1000);
	await throughout(catalogue, when => {
		t.is(catalogue.use(keyOf(A)), undefined, when);
		t.is(catalogue.totals.entries, 0, when);
		t.deepEqual(leaving(catalogue), [], when);
	});
});

test.serial('an entry is read once, however often it is accessed; what anybody makes of it is seen', async t => {
	const layout = layoutOf(t);
	const [catalogue, other] = [open(t, layout), open(t, layout)];
	set(other, {url: A});
	set(other, {url: B});
	await other.flush();
	// The first time nothing is known of when it was read.
	const read = () => catalogue.get(keyOf(A)) && catalogue.get(keyOf(A));
	const known = read();
	t.deepEqual(known, other.get(keyOf(A)));
	catalogue.touch(keyOf(A), 5000);
	other.touch(keyOf(A), 6000);
	set(other, {url: C});
	await catalogue.flush();
	await other.flush();
	t.is(read(), known, 'it was read anew, though there were only accesses and a new entry');

	const changes = [
		() => set(other, {url: A, sizeBytes: 20}),
		() => other.delete(keyOf(A)),
		() => set(other, {url: A}),
		() => set(catalogue, {url: A, sizeBytes: 30}),
	];
	for (const change of changes) {
		read();
		change();
		await Promise.all([catalogue.flush(), other.flush()]);
		t.deepEqual(read(), other.get(keyOf(A)));
	}

	t.is(read()?.sizeBytes, 30);
});

test.serial('what is remembered of entries is bounded by what their sidecars take', async t => {
	const catalogue = open(t);
	const entries = Array.from({length: 12}, (_, index) => {
		const entry = makeEntry({url: `${A}/${index}`});
		return {...entry, sidecar: {...entry.sidecar, filename: 'x'.repeat(900_000)}};
	});
	for (const entry of entries) catalogue.set(entry);
	await catalogue.flush();
	const read = () => entries.map(({key}) => catalogue.get(key));
	read();
	read();
	const [first, second] = [read(), read()];
	const kept = first.filter((entry, index) => entry === second[index]).length;
	t.true(kept < entries.length, `${kept} of 12 entries of 900 kB are remembered`);
	t.deepEqual(
		second.map(entry => entry?.sidecar.filename.length),
		entries.map(() => 900_000),
	);
});

const noted = fc.record({
	do: fc.oneof(
		{weight: 5, arbitrary: fc.constant('set' as const)},
		{weight: 4, arbitrary: fc.constant('touch' as const)},
		{weight: 1, arbitrary: fc.constant('delete' as const)},
		{weight: 1, arbitrary: fc.constant('flush' as const)},
		{weight: 1, arbitrary: fc.constant('begin to flush' as const)},
	),
	url: fc.integer({min: 0, max: 40}).map(index => `https://a.example/${index}`),
	storedAtMs: fc.integer({min: 0, max: 30}),
	pinned: fc.integer({min: 0, max: 5}).map(number => number === 0),
});

const RANKS: Readonly<Record<PolicyName, (use: Use) => [number, number]>> = {
	'least-recently-used': ({accessed_at}) => [accessed_at, 0],
	'least-frequently-used': ({accesses, accessed_at}) => [accesses, accessed_at],
	'least-recently-stored': ({stored_at}) => [stored_at, 0],
	'none': () => [0, 0],
};

for (const policy of ORDERS) {
	test.serial(
		`${policy}: the entries that leave are the unpinned ones, in the order of a sort, written or not`,
		async t => {
			await assertAlways(t, 3000, fc.array(noted, {minLength: 1, maxLength: 80}), async taken => {
				const layout = layoutOf(t);
				const catalogue = new Catalogue(layout, NO_LOG);
				const model = new Map<string, Use & {readonly pinned: boolean}>();
				try {
					for (const [index, one] of taken.entries()) {
						const [now, key, known] = [100 + index, keyOf(one.url), model.get(one.url)];
						if (one.do === 'flush') await catalogue.flush();
						if (one.do === 'begin to flush') void catalogue.flush();
						if (one.do === 'delete') {
							catalogue.delete(key);
							model.delete(one.url);
						} else if (one.do === 'set') {
							set(catalogue, {...one, accessedAtMs: now});
							const {storedAtMs: stored_at, pinned} = one;
							model.set(one.url, {stored_at, pinned, accessed_at: now, accesses: known?.accesses ?? 0});
						} else if (one.do === 'touch' && known !== undefined) {
							catalogue.touch(key, now);
							model.set(one.url, {...known, accessed_at: now, accesses: known.accesses + 1});
						}
					}

					await throughout(catalogue, when => assertLeaving(t, catalogue, policy, model, when));
				} finally {
					await catalogue.close();
					rmSync(layout.root, {recursive: true, maxRetries: 5});
				}
			});
		},
	);
}

function assertLeaving(
	t: ExecutionContext,
	catalogue: Catalogue,
	policy: PolicyName,
	model: ReadonlyMap<string, Use & {readonly pinned: boolean}>,
	when: string,
): void {
	const place = (url: string, use: Use) => [...RANKS[policy](use), url] as const;
	const compare = (a: readonly [number, number, string], b: readonly [number, number, string]) =>
		a[0] - b[0] || a[1] - b[1] || a[2].localeCompare(b[2]);
	const expected = [...model].filter(([, {pinned}]) => !pinned).map(([url, use]) => place(url, use));
	const actual = Array.from(catalogue.leaving(policy), ({entry, use}) => place(entry.sidecar.url, use));
	// Those of one place may leave in any order.
	const inOrder = actual.every((one, index) => {
		const before = actual[index - 1] ?? one;
		return before[0] < one[0] || (before[0] === one[0] && before[1] <= one[1]);
	});
	t.true(inOrder, `${when}: ${JSON.stringify(actual)}`);
	t.deepEqual(actual.sort(compare), expected.sort(compare), when);
}

test.serial('nothing leaves by the policy none', async t => {
	const catalogue = open(t);
	set(catalogue, {url: A});
	await throughout(catalogue, when => t.deepEqual(leaving(catalogue, 'none'), [], when));
});

test.serial(
	'a pinned entry is none of those that leave or are too old, and is one again when it is pinned no more',
	async t => {
		const catalogue = open(t);
		set(catalogue, {url: A, pinned: true});
		set(catalogue, {url: B});
		await throughout(catalogue, when => t.deepEqual(leaving(catalogue), [B], when));
		set(catalogue, {url: A});
		await throughout(catalogue, when => t.deepEqual(leaving(catalogue).sort(), [A, B], when));
	},
);

for (const [name, iterate] of Object.entries({
	entries: (catalogue: Catalogue) => catalogue.entries(),
	leaving: function* (catalogue: Catalogue) {
		for (const {entry} of catalogue.leaving('least-recently-used')) yield entry;
	},
})) {
	test.serial(`${name}: entries may be deleted and written while they are iterated, and each comes once`, async t => {
		const catalogue = open(t);
		const urls = Array.from({length: 500}, (_, index) => `https://a.example/${index}`);
		for (const [index, url] of urls.entries()) {
			set(catalogue, {url, accessedAtMs: index});
			if (index === 300) await catalogue.flush();
		}

		const seen: string[] = [];
		for (const {key, sidecar} of iterate(catalogue)) {
			seen.push(sidecar.url);
			catalogue.delete(key);
			if (seen.length % 100 === 0) await catalogue.flush();
		}

		t.deepEqual(seen.sort(), [...urls].sort());
		await throughout(catalogue, when => t.is(catalogue.totals.entries, 0, when));
	});
}

test.serial(
	'while another holds the write lock no call waits, all of it is there, and it is written once the lock is free',
	async t => {
		const layout = layoutOf(t);
		const catalogue = open(t, layout);
		set(catalogue, {url: A});
		await catalogue.flush();
		const other = openDatabase(layout.catalogue, {timeoutMs: 0});
		t.teardown(() => other.close());
		other.exec('BEGIN IMMEDIATE');

		const delay = monitorEventLoopDelay({resolution: 5});
		delay.enable();
		const endsAt = performance.now() + 1500;
		let [count, slowestMs] = [0, 0];
		for (; performance.now() < endsAt && count < 2000; count++) {
			const startedAt = performance.now();
			const url = `https://a.example/${count}`;
			set(catalogue, {url, sizeBytes: 1});
			catalogue.touch(keyOf(url), count);
			if (catalogue.get(keyOf(url))?.sidecar.url !== url) t.fail(`${url} is not there`);
			if (catalogue.totals.entries !== count + 2) t.fail(`${catalogue.totals.entries} entries instead of ${count + 2}`);
			if (count % 50 === 0) catalogue.leaving('least-recently-used').next();
			slowestMs = Math.max(slowestMs, performance.now() - startedAt);
			if (count % 20 === 0) await setImmediate();
		}

		await until('the lock was held for longer than anything is waited for', () => performance.now() > endsAt);
		delay.disable();
		t.true(slowestMs < 500, `a round of calls took ${slowestMs} ms`);
		t.true(delay.max / 1e6 < 700, `the event loop stood still for ${delay.max / 1e6} ms`);
		const beside = open(t, layout);
		t.is(beside.totals.entries, 1);

		other.exec('ROLLBACK');
		await catalogue.flush();
		t.is(beside.totals.entries, count + 1);
		t.deepEqual(beside.use(keyOf('https://a.example/7')), {stored_at: 0, accessed_at: 7, accesses: 1});
	},
);

test.serial('who closes while another holds the write lock does not wait for it for ever', async t => {
	const layout = layoutOf(t);
	const catalogue = open(t, layout);
	set(catalogue, {url: A});
	await catalogue.flush();
	const other = openDatabase(layout.catalogue, {timeoutMs: 0});
	t.teardown(() => other.close());
	other.exec('BEGIN IMMEDIATE');
	set(catalogue, {url: B});
	// Nothing else keeps the process alive meanwhile.
	const alive = setInterval(() => undefined, 1000);
	t.teardown(() => clearInterval(alive));
	const startedAt = performance.now();
	await catalogue.close();
	t.true(performance.now() - startedAt < 8000);
	other.exec('ROLLBACK');
	t.deepEqual(listed(open(t, layout)), [A]);
});

/** The threads that are started from now on. */
function threads(t: ExecutionContext): Worker[] {
	const workers: Worker[] = [];
	const note = (worker: Worker) => workers.push(worker);
	process.on('worker', note);
	// A thread that is under way to its end keeps no process alive.
	const alive = setInterval(() => undefined, 1000);
	t.teardown(() => {
		process.off('worker', note);
		clearInterval(alive);
	});
	return workers;
}

test.serial('when the thread that writes dies in the middle, the next one writes what it was told', async t => {
	const [layout, workers] = [layoutOf(t), threads(t)];
	const [catalogue, beside] = [open(t, layout), open(t, layout)];
	for (let round = 0; round < 5; round++) {
		for (let index = 0; index < 100; index++) set(catalogue, {url: `https://a.example/${round}/${index}`});
		catalogue.touch(keyOf('https://a.example/0/0'), round);
		const written = catalogue.flush();
		await until('there is a thread', () => workers.length > 0);
		for (let turn = 0; turn < round; turn++) await setImmediate();
		await Promise.all(workers.splice(0).map(worker => worker.terminate()));
		await written;
		await catalogue.flush();
		t.is(beside.totals.entries, 100 * (round + 1));
		t.is(catalogue.totals.entries, 100 * (round + 1));
	}

	t.is(catalogue.use(keyOf('https://a.example/0/0'))?.accessed_at, 4);
});

test.serial('a process whose thread has died is still one process, and its sums are exact', async t => {
	const [layout, workers] = [layoutOf(t), threads(t)];
	const [catalogue, beside] = [open(t, layout), open(t, layout)];
	catalogue.hold(5000);
	await catalogue.flush();
	await Promise.all(workers.splice(0).map(worker => worker.terminate()));
	catalogue.hold(6000);
	set(catalogue, {url: A});
	await throughout(catalogue, when => t.is(catalogue.totals.entries, 1, when));
	t.is(catalogue.usage.heldByOthers, 0);
	t.is(beside.usage.heldByOthers, 6000);
	t.deepEqual(catalogue.others(), []);
	t.is(beside.others().length, 1);
});

const LOST = {
	'is removed': 'rm "$1" "$1-wal" "$1-shm"',
	'becomes garbage': 'head -c 50000 /dev/zero | tr "\\0" x | tee "$1" "$1-wal" > "$1-shm"',
} as const;

for (const [how, script] of Object.entries(LOST)) {
	test.serial(
		`a catalogue whose file ${how} while it is open is made anew, tells so once, and what is noted from then on is there`,
		async t => {
			const layout = layoutOf(t);
			const {log, lines} = recordingLog();
			const catalogue = open(t, layout, log);
			let lost = 0;
			catalogue.onLost = () => lost++;
			set(catalogue, {url: A});
			await catalogue.setLimits({maxEntries: 7});
			await catalogue.setLimits({maxAgeMs: 8});
			await catalogue.flush();
			// By another process: this one would give up its locks of the file.
			t.is((await sh(script, layout.catalogue)).code, 0);
			for (let round = 0; round < 5; round++) {
				set(catalogue, {url: B, sizeBytes: round});
				catalogue.touch(keyOf(B), 1000);
				t.is(catalogue.get(keyOf(B))?.sizeBytes, round);
				await catalogue.flush();
			}

			await until('it is told', () => lost > 0);
			t.is(catalogue.get(keyOf(B))?.sizeBytes, 4);
			t.deepEqual(listed(catalogue), [B]);
			t.is(catalogue.totals.entries, 1);
			t.like(catalogue.limits(), {maxEntries: 7, maxAgeMs: 8});
			t.true(existsSync(layout.catalogue));
			t.is(open(t, layout).get(keyOf(B))?.sizeBytes, 4);
			t.is(lost, 1);
			t.is(lines.filter(line => line.includes('was lost')).length, 1);
		},
	);
}

for (const newer of [true, false]) {
	test.serial(
		`a catalogue that ${newer ? 'a newer larder has made' : 'is a database of somebody else'} is made anew when it is opened`,
		async t => {
			const layout = layoutOf(t);
			const database = openDatabase(layout.catalogue, {timeoutMs: 0});
			database.exec('CREATE TABLE entries (something, different)');
			database.pragma(`user_version = ${newer ? 10_000 : 1}`);
			database.close();
			const {log, lines} = recordingLog();
			const catalogue = open(t, layout, log);
			set(catalogue, {url: A});
			await catalogue.flush();
			t.deepEqual(listed(open(t, layout)), [A]);
			t.is(lines.filter(line => line.includes('was lost')).length, 1);
		},
	);
}

test.serial(
	'a catalogue of the larder before, which had no revision, is brought up to date and loses nothing',
	async t => {
		const layout = layoutOf(t);
		const before = new Catalogue(layout, NO_LOG);
		set(before, {url: A, sizeBytes: 7});
		before.touch(keyOf(A), 5000);
		await before.close();
		const database = openDatabase(layout.catalogue, {timeoutMs: 0});
		database.exec(`
		DROP TRIGGER entries_delete_revision;
		DROP TRIGGER entries_update_revision;
		DROP TABLE revision;
		PRAGMA user_version = 2`);
		database.close();
		const {log, lines} = recordingLog();
		const catalogue = open(t, layout, log);
		t.is(catalogue.get(keyOf(A))?.sizeBytes, 7);
		t.is(catalogue.use(keyOf(A))?.accesses, 1);
		set(catalogue, {url: A, sizeBytes: 8});
		await catalogue.flush();
		t.is(catalogue.get(keyOf(A))?.sizeBytes, 8);
		t.deepEqual(lines, []);
	},
);
