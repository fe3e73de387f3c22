import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	unlinkSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {createInterface} from 'node:readline';
import test, {type ExecutionContext} from 'ava';
import {openDatabase} from '../../../src/sqlite/open.js';
import {keyOf} from '../../../src/store/key.js';
import {Verification, type Finding, type Summary, type VerifyOptions} from '../../../src/store/verify.js';
import {entryFiles, get, openStore, put, quarantined, temporaryDirectory, TestClock} from '../../helpers/cache.js';
import {basePath, putLikeOriginal} from '../../helpers/original.js';
import {IS_ROOT, NOT_ROOT} from '../../helpers/root.js';

const [A, B, C] = ['https://a.example/a', 'https://a.example/b', 'https://a.example/c'] as const;
const WRITER = new URL('../../helpers/keep-writing.js', import.meta.url).pathname;
const CATALOGUE = path.join('.larder', 'catalogue.sqlite');

/** At this clock nothing of the test's is young. */
function lateClock(): TestClock {
	const clock = new TestClock();
	clock.advance(61_000);
	return clock;
}

/** A directory with three entries that nobody has open. */
async function closedStore(t: ExecutionContext): Promise<string> {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	for (const url of [A, B, C]) await put(store, url, `the bytes of ${url}`);
	await store.close();
	return directory;
}

async function all(verification: Verification): Promise<{findings: Finding[]; summary: Summary}> {
	const findings: Finding[] = [];
	for await (const finding of verification) findings.push(finding);
	return {findings, summary: verification.summary};
}

function verify(directory: string, options: VerifyOptions = {}, clock = lateClock()) {
	return all(new Verification(directory, options, {clock}));
}

/** `row 5f9c…: it is so; would be otherwise` with the key's URL in the place of the key. */
function lines(findings: readonly Finding[]): string[] {
	const urls = new Map([A, B, C].map(url => [keyOf(url), url.slice(-1)]));
	return findings
		.map(({kind, name, problem, action}) => `${kind} ${urls.get(name) ?? name}: ${problem}; ${action}`)
		.sort();
}

/** Each file below a directory with what a write would change of it. */
function fingerprint(directory: string): string[] {
	return readdirSync(directory, {recursive: true, encoding: 'utf8'})
		.map(name => ({name, stats: lstatSync(path.join(directory, name), {bigint: true})}))
		.map(({name, stats}) => [name, stats.ino, ...(stats.isDirectory() ? [] : [stats.size, stats.mtimeNs])].join(' '))
		.sort();
}

function changeSidecar(file: string, change: (fields: Record<string, unknown>) => unknown): void {
	writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)));
}

function replaceByLink(file: string): void {
	renameSync(file, `${file}.moved`);
	symlinkSync(`${path.basename(file)}.moved`, file);
}

function changeCatalogue(directory: string, sql: string): void {
	const database = openDatabase(path.join(directory, CATALOGUE), {timeoutMs: 5000});
	database.exec(sql);
	database.close();
}

test('a store in which everything is right has no finding, and is as it was', async t => {
	const directory = await closedStore(t);
	putLikeOriginal(directory, 'https://a.example/original', 'of the original');
	const store = openStore(t, {directory});
	await store.load();
	await store.annotate(keyOf(A), {pinned: true, addTags: ['cats', 'büro']});
	await store.close();
	const before = fingerprint(directory);
	const {findings, summary} = await verify(directory);
	t.deepEqual(findings, []);
	t.deepEqual(fingerprint(directory), before);
	t.like(summary, {entries: 4, bytes: 3 * 32 + 15, foreign: 0, quarantine: {files: 0, bytes: 0}});
	t.deepEqual((await verify(directory, {repair: true, read: true})).findings, []);
});

const DAMAGE: Record<string, [damage: (data: string, sidecar: string) => void, problem: RegExp]> = {
	'data that is gone': [data => rmSync(data), /^there is no data file$/],
	'data that is shorter': [data => truncateSync(data, 3), /^the sidecar says 32 bytes, the data file has 3$/],
	'data behind a link': [replaceByLink, /^the data file is not a regular file$/],
	'data that is a directory': [
		data => {
			rmSync(data);
			mkdirSync(path.join(data, 'something'), {recursive: true});
		},
		/^the data file is not a regular file$/,
	],
	'a sidecar that is gone': [(_, sidecar) => rmSync(sidecar), /^there is no sidecar$/],
	'a sidecar cut short': [(_, sidecar) => truncateSync(sidecar, 20), /^sidecar: not JSON$/],
	'a sidecar of another URL': [
		(_, sidecar) => changeSidecar(sidecar, fields => ({...fields, url: B})),
		/^sidecar: url is not the one the file is named after$/,
	],
	'a sidecar of 2 MiB': [
		(_, sidecar) => changeSidecar(sidecar, fields => ({...fields, x: ' '.repeat(2 ** 21)})),
		/^the sidecar is too long$/,
	],
	'a sidecar behind a link': [(_, sidecar) => replaceByLink(sidecar), /^the sidecar is a symbolic link$/],
	'a sidecar that is a directory': [
		(_, sidecar) => {
			rmSync(sidecar);
			mkdirSync(sidecar);
		},
		/^the sidecar is not a regular file$/,
	],
};

for (const [what, [damage, problem]] of Object.entries(DAMAGE)) {
	test(`${what}: named and left as it is, or moved to quarantine if one asks for it`, async t => {
		const directory = await closedStore(t);
		const [data, sidecar] = [`${basePath(directory, A)}.dat`, `${basePath(directory, A)}.json`];
		damage(data, sidecar);
		const before = fingerprint(directory);
		const {findings} = await verify(directory);
		t.like(findings, {length: 1, 0: {kind: 'entry', name: keyOf(A), outcome: 'found'}});
		t.regex(findings[0]?.problem ?? '', problem);
		t.is(findings[0]?.action, 'would be moved to quarantine');
		t.deepEqual(fingerprint(directory), before);

		const repaired = await verify(directory, {repair: true});
		t.like(repaired.findings, {length: 1, 0: {outcome: 'repaired', action: 'moved to quarantine'}});
		t.false(existsSync(sidecar) || existsSync(data));
		t.true(repaired.summary.quarantine.files > 0);
		t.deepEqual((await verify(directory)).findings, []);
		t.is(await get(openStore(t, {directory}), B), `the bytes of ${B}`);
	});
}

test('what has changed within the last minute is named, left alone, and no damage', async t => {
	const directory = await closedStore(t);
	truncateSync(`${basePath(directory, A)}.dat`, 3);
	writeFileSync(`${basePath(directory, 'https://a.example/new')}.dat`, 'no sidecar yet');
	putLikeOriginal(directory, B, 'no row yet');
	const before = fingerprint(directory);
	const {findings, summary} = await verify(directory, {}, new TestClock());
	t.deepEqual(findings.map(({kind}) => kind).sort(), ['entry', 'entry', 'row']);
	t.deepEqual(summary.findings, {'found': 0, 'repaired': 0, 'failed': 0, 'too-young': 3});
	t.deepEqual(fingerprint(directory), before);
	t.deepEqual((await verify(directory, {repair: true}, new TestClock())).summary.findings, summary.findings);
	t.deepEqual(quarantined(directory), []);
});

test('names that are nobody’s are counted, and left alone', async t => {
	const directory = await closedStore(t);
	const names = ['x.json', 'notes.txt', `${'A'.repeat(64)}.json`, `${'a'.repeat(64)}.dat.bak`];
	for (const name of names) writeFileSync(path.join(directory, name), '{}');
	const {findings, summary} = await verify(directory, {repair: true});
	t.deepEqual(findings, []);
	t.is(summary.foreign, names.length);
	t.true(names.every(name => entryFiles(directory).includes(name)));
});

test('rows of the catalogue that are not as the files are: each is named, and corrected if one asks for it', async t => {
	const directory = await closedStore(t);
	rmSync(`${basePath(directory, A)}.dat`);
	rmSync(`${basePath(directory, A)}.json`);
	putLikeOriginal(directory, B, 'the original was here');
	putLikeOriginal(directory, 'https://a.example/new', 'and here');
	changeCatalogue(directory, `UPDATE entries SET size_bytes = 5 WHERE key = x'${keyOf(C)}'`);
	const problems = [
		[keyOf('https://a.example/new'), 'the catalogue does not have it'],
		['a', 'the catalogue has it, and its files are gone'],
		['b', 'the catalogue has it with other files'],
		['c', 'the catalogue says 5 bytes, the data file has 32'],
	] as const;
	const expected = (action: string) => problems.map(([name, problem]) => `row ${name}: ${problem}; ${action}`).sort();
	const before = fingerprint(directory);
	t.deepEqual(lines((await verify(directory)).findings), expected('would be corrected'));
	t.deepEqual(fingerprint(directory), before);
	const {findings, summary} = await verify(directory, {repair: true});
	t.deepEqual(lines(findings), expected('corrected'));
	t.is(summary.findings.repaired, 4);
	t.deepEqual((await verify(directory)).findings, []);
	t.is(openStore(t, {directory}).totals.sizeBytes, 32 + 21 + 8);
});

test('a row whose blocks, or whose copy of the sidecar, are not those of the files is named and corrected', async t => {
	const directory = await closedStore(t);
	changeCatalogue(directory, `UPDATE entries SET allocated_bytes = 512 WHERE key = x'${keyOf(A)}'`);
	changeCatalogue(
		directory,
		`UPDATE entries SET sidecar = replace(sidecar, 'a.txt', 'b.txt') WHERE key = x'${keyOf(B)}'`,
	);
	changeCatalogue(directory, `UPDATE entries SET sidecar = '{' WHERE key = x'${keyOf(C)}'`);
	const {findings} = await verify(directory);
	t.deepEqual(lines(findings), [
		'row a: by the catalogue it takes 512 bytes on the disk, and it takes 8192; would be corrected',
		'row b: the catalogue has another sidecar for it; would be corrected',
		"row c: the catalogue's copy of its sidecar is damaged: sidecar: not JSON; would be corrected",
	]);
	t.is((await verify(directory, {repair: true})).summary.findings.repaired, 3);
	t.deepEqual((await verify(directory)).findings, []);
});

test('a pin that the original has written out of the sidecar comes back with the correction', async t => {
	const directory = await closedStore(t);
	const before = openStore(t, {directory});
	await before.annotate(keyOf(A), {pinned: true, addTags: ['cats']});
	await before.close();
	putLikeOriginal(directory, A, `the bytes of ${A}`);
	t.is((await verify(directory, {repair: true})).summary.findings.repaired, 1);
	t.like(JSON.parse(readFileSync(`${basePath(directory, A)}.json`, 'utf8')), {pinned: true, tags: ['cats']});
	t.deepEqual((await verify(directory)).findings, []);
});

test('sums that are not those of the rows are named, and counted again if one asks for it', async t => {
	const directory = await closedStore(t);
	changeCatalogue(directory, 'UPDATE totals SET entries = 7, size_bytes = 1');
	const {findings} = await verify(directory);
	const problem = 'it counts 7 entries instead of 3, 1 bytes instead of 96';
	t.deepEqual(lines(findings), [`catalogue ${CATALOGUE}: ${problem}; would be counted again`]);
	t.like((await verify(directory, {repair: true})).findings, {length: 1, 0: {action: 'counted again'}});
	t.deepEqual((await verify(directory)).findings, []);
	changeCatalogue(directory, 'DELETE FROM totals');
	t.like((await verify(directory, {repair: true})).findings, {length: 1, 0: {problem: 'it has no sums'}});
	t.deepEqual((await verify(directory)).findings, []);
});

/** A page in the middle is what `quick_check` finds, and nobody else before it is read. */
function scribble(file: string): void {
	const content = readFileSync(file);
	content.fill(0xff, 4096, 4096 + 2048);
	writeFileSync(file, content);
}

const USELESS: Record<string, [damage: (file: string) => void, problem: RegExp]> = {
	'is gone': [unlinkSync, /^there is none$/],
	'is empty': [file => truncateSync(file, 0), /^it is empty$/],
	'is a directory': [
		file => {
			rmSync(file);
			mkdirSync(file);
		},
		/^it is not a regular file$/,
	],
	'is text': [file => writeFileSync(file, 'not a database. '.repeat(1000)), /not a database/],
	'was scribbled over': [scribble, /malformed|invalid page|Tree \d|btree/i],
	'is of another larder': [
		file => {
			const database = openDatabase(file, {timeoutMs: 5000});
			database.pragma('user_version = 99');
			database.close();
		},
		/^it has schema 99, and \d+ is the one known$/,
	],
};

for (const [what, [damage, problem]] of Object.entries(USELESS)) {
	test(`a catalogue that ${what} is named and left as it is, or made anew if one asks for it`, async t => {
		const directory = await closedStore(t);
		damage(path.join(directory, CATALOGUE));
		const before = fingerprint(directory);
		const {findings, summary} = await verify(directory);
		t.like(findings, {length: 1, 0: {kind: 'catalogue', name: CATALOGUE, outcome: 'found'}});
		t.regex(findings[0]?.problem ?? '', problem);
		t.is(summary.entries, 3);
		t.deepEqual(fingerprint(directory), before);
		const repaired = await verify(directory, {repair: true});
		t.like(repaired.findings, {length: 1, 0: {outcome: 'repaired', action: 'made anew from the directory'}});
		t.deepEqual((await verify(directory)).findings, []);
		t.is(openStore(t, {directory}).totals.entries, 3);
	});
}

test('a directory that larder has never opened is looked over without a trace', async t => {
	const directory = temporaryDirectory(t);
	putLikeOriginal(directory, A, 'of the original');
	truncateSync(`${basePath(directory, A)}.dat`, 3);
	const {findings} = await verify(directory);
	t.deepEqual(
		findings.map(({kind}) => kind),
		['catalogue', 'entry'],
	);
	t.deepEqual(entryFiles(directory).length, 2);
	t.false(existsSync(path.join(directory, '.larder')));
	await t.throwsAsync(verify(path.join(directory, 'nowhere'), {repair: true}), {code: 'not-found'});
	t.false(existsSync(path.join(directory, 'nowhere')));
});

test('what dead processes were downloading is named, and removed if one asks for it; what lives stays', async t => {
	const directory = await closedStore(t);
	const downloads = path.join(directory, '.larder', 'downloads');
	const [dead, alive] = [`${keyOf(A)}.4194305.${'0'.repeat(24)}`, `${keyOf(A)}.${process.ppid}.${'0'.repeat(24)}`];
	for (const name of [dead, alive]) writeFileSync(path.join(downloads, name), 'partly');
	const {findings} = await verify(directory);
	const problem = 'process 4194305, which was at it, is no more';
	t.deepEqual(lines(findings), [`draft ${path.join('.larder', 'downloads', dead)}: ${problem}; would be removed`]);
	t.deepEqual(readdirSync(downloads).length, 2);
	t.like((await verify(directory, {repair: true})).findings, {length: 1, 0: {outcome: 'repaired', action: 'removed'}});
	t.deepEqual(readdirSync(downloads), [alive]);
});

(IS_ROOT ? test : test.skip)(
	`bytes that cannot be read are found by reading them, and what cannot be moved away is said to be so${IS_ROOT ? '' : ` ${NOT_ROOT}`}`,
	async t => {
		const directory = temporaryDirectory(t);
		putLikeOriginal(directory, A, '');
		const data = `${basePath(directory, A)}.dat`;
		// Byte 0 of its own memory no process may read: EIO, as from a disk that fails.
		execFileSync('mount', ['--bind', `/proc/${process.pid}/mem`, data]);
		t.teardown(() => execFileSync('umount', ['-l', data]));
		// The file's own times change with each look, so its row is never right.
		const damage = async (options: VerifyOptions) =>
			(await verify(directory, options)).findings.filter(({kind}) => kind === 'entry');
		t.deepEqual(await damage({}), []);
		const named = {kind: 'entry', name: keyOf(A), problem: 'the data file cannot be read: EIO'};
		t.like(await damage({read: true}), {length: 1, 0: {...named, outcome: 'found'}});
		const failed = await damage({read: true, repair: true});
		t.like(failed[0], {...named, outcome: 'failed'});
		t.regex(failed[0]?.action ?? '', /^could not be moved to quarantine: .*EBUSY/);
	},
);

test('beside a store that writes all the time, in this process and in another one, there is no finding', async t => {
	const directory = temporaryDirectory(t);
	const child = spawn(process.execPath, [WRITER, directory], {stdio: ['ignore', 'pipe', 'inherit']});
	t.teardown(() => child.kill('SIGKILL'));
	await once(createInterface({input: child.stdout}), 'line');
	// Nothing is too young to be judged: what keeps them apart is the locks.
	const store = openStore(t, {directory, limitBytes: 4 * 1024 * 1024, clock: lateClock()});
	await store.load();
	let isOver = false;
	const writing = (async () => {
		for (let count = 0; !isOver; count++) {
			await put(store, `https://b.example/${count % 5}`, 'x'.repeat(count % 10_000));
			if (count % 3 === 0) await store.remove(keyOf(`https://b.example/${count % 4}`));
		}
	})();
	for (let round = 0; round < 2; round++) {
		for (const options of [{}, {read: true}, {repair: true}]) {
			const {findings, summary} = await verify(directory, options);
			t.deepEqual(findings, []);
			t.true(summary.entries > 0);
		}

		t.deepEqual((await all(store.verify({repair: true}))).findings, []);
	}

	isOver = true;
	await writing;
});

test('a store that is open finds and repairs as well, and its entries are then those that are whole', async t => {
	const directory = await closedStore(t);
	const store = openStore(t, {directory, clock: lateClock()});
	rmSync(`${basePath(directory, A)}.json`);
	changeCatalogue(directory, `UPDATE entries SET size_bytes = 5 WHERE key = x'${keyOf(B)}'`);
	t.deepEqual(lines((await all(store.verify({}))).findings), [
		'entry a: there is no sidecar; would be moved to quarantine',
		'row b: the catalogue says 5 bytes, the data file has 32; would be corrected',
	]);
	t.is((await all(store.verify({repair: true}))).summary.findings.repaired, 2);
	t.like(store.totals, {entries: 2, sizeBytes: 64});
	await put(store, A, 'again');
	t.is(await get(store, A), 'again');
	t.deepEqual((await all(store.verify({}))).findings, []);
});

test('it ends when it is told to, and lets go of the directory', async t => {
	const directory = await closedStore(t);
	const [controller, before] = [new AbortController(), fingerprint(directory)];
	controller.abort(new Error('enough'));
	await t.throwsAsync(verify(directory, {signal: controller.signal}), {message: 'enough'});
	t.deepEqual(fingerprint(directory), before);
});
