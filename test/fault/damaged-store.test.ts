/** Each kind of damage to an entry's two files: a miss, moved away once it is old enough, and healed by a put. */
import {execFileSync} from 'node:child_process';
import {
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'ava';
import {keyOf} from '../../src/store/key.js';
import {
	allocatedOnDisk,
	entryFiles,
	get,
	openStore,
	put,
	quarantined,
	recordingLog,
	temporaryDirectory,
	TestClock,
} from '../helpers/cache.js';
import {basePath, putLikeOriginal} from '../helpers/original.js';
import {IS_ROOT, NOT_ROOT} from '../helpers/root.js';
import {until} from '../helpers/until.js';

const [A, B] = ['https://a.example/a', 'https://a.example/b'] as const;

function lateClock(): TestClock {
	const clock = new TestClock();
	clock.advance(61_000);
	return clock;
}

interface Files {
	readonly data: string;
	readonly sidecar: string;
}

function replaceSidecar({sidecar}: Files, change: (fields: Record<string, unknown>) => unknown): void {
	writeFileSync(sidecar, JSON.stringify(change(JSON.parse(readFileSync(sidecar, 'utf8')) as Record<string, unknown>)));
}

function replaceByLink(file: string): void {
	renameSync(file, `${path.dirname(file)}/moved`);
	symlinkSync('moved', file);
}

const DAMAGE: Record<string, (files: Files) => void> = {
	'data that is gone': ({data}) => rmSync(data),
	'data that is shorter': ({data}) => truncateSync(data, 3),
	'data that is longer': ({data}) => truncateSync(data, 300),
	'data behind a symbolic link': ({data}) => replaceByLink(data),
	'data that is a directory with something in it': ({data}) => {
		rmSync(data);
		mkdirSync(path.join(data, 'something'), {recursive: true});
	},
	'data that is a FIFO': ({data}) => {
		rmSync(data);
		execFileSync('mkfifo', [data]);
	},
	'a sidecar that is gone': ({sidecar}) => rmSync(sidecar),
	'a sidecar that is empty': ({sidecar}) => truncateSync(sidecar, 0),
	'a sidecar cut short': ({sidecar}) => truncateSync(sidecar, 20),
	'a sidecar of another URL': files => replaceSidecar(files, fields => ({...fields, url: B})),
	'a sidecar with another size': files => replaceSidecar(files, fields => ({...fields, size: 4})),
	'a sidecar with a time beyond all calendars': files => replaceSidecar(files, fields => ({...fields, ts: 1e300})),
	'a sidecar that is a list': files => replaceSidecar(files, fields => [fields]),
	'a sidecar with 2 MiB beside the fields': files =>
		replaceSidecar(files, fields => ({...fields, x: ' '.repeat(2 ** 21)})),
	'a sidecar behind a symbolic link': ({sidecar}) => replaceByLink(sidecar),
	'a sidecar that is a directory': ({sidecar}) => {
		rmSync(sidecar);
		mkdirSync(sidecar);
	},
	'a sidecar that is a FIFO': ({sidecar}) => {
		rmSync(sidecar);
		execFileSync('mkfifo', [sidecar]);
	},
};

for (const [what, damage] of Object.entries(DAMAGE)) {
	test(`${what}: a miss, moved to quarantine, and a put heals it`, async t => {
		const [directory, {log, lines}] = [temporaryDirectory(t), recordingLog()];
		putLikeOriginal(directory, A, 'stored');
		putLikeOriginal(directory, B, 'beside');
		damage({data: `${basePath(directory, A)}.dat`, sidecar: `${basePath(directory, A)}.json`});
		rmSync(path.join(directory, 'moved'), {force: true});

		const store = openStore(t, {directory, clock: lateClock(), log});
		t.is(await get(store, A), undefined);
		await store.load();
		t.is(await get(store, A), undefined);
		t.is(await get(store, B), 'beside');
		await until('only the other entry is left', () => entryFiles(directory).length === 2);
		t.true(quarantined(directory).length > 0);
		t.is(lines.filter(line => line.startsWith('warn a damaged entry was moved')).length, 1, lines.join('\n'));
		t.is(store.usedBytes, allocatedOnDisk(directory));

		await put(store, A, 'healed');
		t.is(await get(store, A), 'healed');
	});

	test(`${what}: a put heals it also before anybody has looked`, async t => {
		const directory = temporaryDirectory(t);
		putLikeOriginal(directory, A, 'stored');
		damage({data: `${basePath(directory, A)}.dat`, sidecar: `${basePath(directory, A)}.json`});
		const store = openStore(t, {directory});
		await put(store, A, 'healed');
		t.is(await get(store, A), 'healed');
		await store.close();
		const after = openStore(t, {directory, clock: lateClock()});
		await after.load();
		t.is(await get(after, A), 'healed');
		t.is(after.totals.entries, 1);
	});
}

test('damage of the last minute is a miss but may be a writer at work: it is judged when it is a minute old', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const startedAt = Date.now();
	putLikeOriginal(directory, A, 'stored');
	truncateSync(`${basePath(directory, A)}.dat`, 3);
	writeFileSync(`${basePath(directory, B)}.dat`, 'no sidecar yet');
	clock.advance(40_000);
	const store = openStore(t, {directory, clock});
	await store.load();
	t.is(await get(store, A), undefined);
	t.deepEqual(quarantined(directory), []);
	t.is(entryFiles(directory).length, 3);
	await until('it is moved away', () => entryFiles(directory).length === 0, 45_000);
	t.deepEqual(quarantined(directory), [`${keyOf(A)}.dat`, `${keyOf(A)}.json`, `${keyOf(B)}.dat`].sort());
	const movedAt = readdirSync(path.join(directory, '.larder', 'quarantine')).map(name => Number(name.split('.')[0]));
	// The kernel's file times are those of its last tick, some milliseconds ago.
	for (const time of movedAt) t.true(time >= startedAt + 59_950, `${time - startedAt} ms after the start`);
});

test('what a writer completes within the minute is an entry', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const store = openStore(t, {directory, clock});
	await store.load();
	writeFileSync(`${basePath(directory, A)}.dat`, 'bytes');
	t.is(await get(store, A), undefined);
	putLikeOriginal(directory, A, 'all of the bytes');
	t.is(await get(store, A), 'all of the bytes');
	clock.advance(61_000);
	t.is(await get(store, A), 'all of the bytes');
	t.deepEqual(quarantined(directory), []);
});

test('names that are not the store’s are left alone, whatever they are', async t => {
	const directory = temporaryDirectory(t);
	const names = ['x.json', 'notes.txt', `${'a'.repeat(63)}.dat`, `${'A'.repeat(64)}.json`, `${'a'.repeat(64)}.dat.bak`];
	for (const name of names) writeFileSync(path.join(directory, name), '{}');
	mkdirSync(path.join(directory, 'folder'));
	const store = openStore(t, {directory, clock: lateClock()});
	await store.load();
	t.deepEqual(entryFiles(directory), [...names, 'folder'].sort());
	t.is(store.totals.entries, 0);
});

test('a socket in the place of a sidecar is no entry, and a put replaces it', async t => {
	const directory = temporaryDirectory(t);
	// The path of a socket is short (unix(7)), so it is made here and moved there.
	const server = net.createServer().listen(path.join(directory, 's'));
	t.teardown(() => server.close());
	await new Promise(resolve => server.once('listening', resolve));
	renameSync(path.join(directory, 's'), `${basePath(directory, A)}.json`);
	const store = openStore(t, {directory, clock: lateClock()});
	await store.load();
	t.is(await get(store, A), undefined);
	await put(store, A, 'a');
	t.is(await get(store, A), 'a');
});

(IS_ROOT ? test : test.skip)(
	`a device in the place of a sidecar or of data is no entry and is not read${IS_ROOT ? '' : ` ${NOT_ROOT}`}`,
	async t => {
		const directory = temporaryDirectory(t);
		for (const extension of ['.json', '.dat']) {
			const url = `https://a.example/${extension}`;
			putLikeOriginal(directory, url, '');
			rmSync(basePath(directory, url) + extension);
			execFileSync('mknod', [basePath(directory, url) + extension, 'c', '1', '3']);
		}

		const store = openStore(t, {directory, clock: lateClock()});
		await store.load();
		t.is(store.totals.entries, 0);
		await until('they are in quarantine', () => quarantined(directory).length === 4);
	},
);

test('quarantine keeps the newest 64 files', async t => {
	const [directory, clock] = [temporaryDirectory(t), lateClock()];
	for (let index = 0; index < 80; index++) {
		writeFileSync(`${basePath(directory, `https://a.example/${index}`)}.json`, `${index}`);
	}

	const store = openStore(t, {directory, clock});
	await store.load();
	await until('all are moved', () => entryFiles(directory).length === 0);
	await until('the oldest are gone', () => readdirSync(path.join(directory, '.larder/quarantine')).length === 64);
	t.is(store.totals.entries, 0);
});

test('a sidecar with fields of others and without a size is an entry, and keeps those fields', async t => {
	const directory = temporaryDirectory(t);
	putLikeOriginal(directory, A, 'stored');
	const files = {data: `${basePath(directory, A)}.dat`, sidecar: `${basePath(directory, A)}.json`};
	replaceSidecar(files, ({size: _size, ...fields}) => ({...fields, ts: 1, others: {deep: [1]}}));
	const store = openStore(t, {directory});
	t.is(await get(store, A), 'stored');
	await store.close();
	const written = JSON.parse(readFileSync(files.sidecar, 'utf8')) as Record<string, unknown>;
	t.deepEqual(written['others'], {deep: [1]});
	t.true((written['ts'] as number) > 1_700_000_000);
});
