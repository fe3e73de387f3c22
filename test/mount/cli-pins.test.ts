import test, {type ExecutionContext} from 'ava';
import {fetchAll, listed, plant, sha256, startDrive, workDirectory} from '../helpers/drive.js';
import {larderWith} from '../helpers/mount.js';
import type {Result} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const QUIET: Result = {code: 0, stdout: '', stderr: ''};

interface Line {
	readonly url: string;
	readonly pinned: boolean;
	readonly tags: readonly string[];
}

type Program = (command: string, ...args: string[]) => Promise<Result>;

/** A store with an entry for each of `urls`, and the program on it. */
async function storeOf(t: ExecutionContext, ...urls: string[]): Promise<{cacheDir: string; program: Program}> {
	const cacheDir = await workDirectory(t);
	for (const url of urls) await plant(cacheDir, url, `the bytes of ${url}`);
	return {cacheDir, program: programOn(cacheDir)};
}

function programOn(cacheDir: string): Program {
	return (command, ...args) => larderWith({}, command, '--cache-dir', cacheDir, ...args);
}

/** What `larder ls` says, by URL. */
async function listing(program: Program, ...args: string[]): Promise<Line[]> {
	const {stdout} = await program('ls', '--json', ...args);
	const lines = stdout.split('\n').filter(line => line !== '');
	return lines.map(line => JSON.parse(line) as Line).sort((a, b) => (a.url < b.url ? -1 : 1));
}

async function urlsListed(program: Program, ...args: string[]): Promise<string[]> {
	return (await listing(program, ...args)).map(({url}) => url);
}

/** A user's mistake: exit 2, and one line that says what is wrong. */
function assertWrongUsage(t: ExecutionContext, {code, stdout, stderr}: Result, reason: RegExp): void {
	t.is(code, 2, stderr);
	t.regex(stderr, reason);
	t.regex(stderr, /^larder: [^\n]+\n$/);
	t.is(stdout, '');
}

const A = 'http://a.example/a';
const B = 'http://a.example/b';
const C = 'http://a.example/c';
const NOWHERE = 'http://a.example/nowhere';

test('larder pin pins by URL and by key, --undo unpins, and doing either twice is no failure', async t => {
	const {program} = await storeOf(t, A, B, C);
	const pinned = async () => (await listing(program)).filter(line => line.pinned).map(({url}) => url);
	t.deepEqual(await pinned(), []);
	for (let round = 0; round < 2; round++) t.deepEqual(await program('pin', A, sha256(B)), QUIET);
	t.deepEqual(await pinned(), [A, B]);
	for (let round = 0; round < 2; round++) t.deepEqual(await program('pin', '--undo', A), QUIET);
	t.deepEqual(await pinned(), [B]);
});

test('what is pinned on a mounted drive outlives what is newer, and leaves in its turn once that is undone', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--max-size', '1MB']});
	const program = programOn(mount.cacheDir);
	const serve = (name: string) => origin.serve(`/${name}`, {size: 300_000});
	const fill = async (round: string) => {
		for (const index of [1, 2, 3, 4]) await fetchAll(mount, serve(`${round}-${index}`));
	};

	const kept = serve('kept');
	await fetchAll(mount, kept);
	t.deepEqual(await program('pin', kept), QUIET);
	await fill('first');
	t.true((await listed(mount)).includes(encodeURIComponent(kept)));
	t.is(origin.requestsOf('/kept').length, 1);

	t.deepEqual(await program('pin', '--undo', kept), QUIET);
	await fill('second');
	await until('it has left', async () => !(await listed(mount)).includes(encodeURIComponent(kept)));
});

test('larder tag adds and removes tags, by URL and by key, and a tag is had once', async t => {
	const {program} = await storeOf(t, A, B);
	const tags = async () => (await listing(program)).map(line => [...line.tags].sort());
	t.deepEqual(await tags(), [[], []]);
	t.deepEqual(await program('tag', A, sha256(B), '--add', 'cats', '--add', 'to watch'), QUIET);
	t.deepEqual(await program('tag', A, '--add', 'cats'), QUIET);
	t.deepEqual(await tags(), [
		['cats', 'to watch'],
		['cats', 'to watch'],
	]);
	t.deepEqual(await program('tag', B, '--add', 'dogs', '--remove', 'cats', '--remove', 'never had'), QUIET);
	t.deepEqual(await tags(), [
		['cats', 'to watch'],
		['dogs', 'to watch'],
	]);
});

test('a pin and tags do not disturb each other, nor what the URL reads as', async t => {
	const {cacheDir, program} = await storeOf(t, A);
	await program('tag', A, '--add', 'cats');
	await program('pin', A);
	await program('tag', A, '--add', 'dogs');
	t.like((await listing(program))[0], {pinned: true, tags: ['cats', 'dogs']});
	await program('pin', '--undo', A);
	t.like((await listing(program))[0], {pinned: false, tags: ['cats', 'dogs']});
	t.is((await larderWith({}, 'get', '--cache-dir', cacheDir, '-o', '-', A)).stdout, `the bytes of ${A}`);
});

test('larder ls marks what is pinned and shows tags at the end of the line, and says nothing of the others', async t => {
	const {program} = await storeOf(t, A, B, C);
	await program('pin', A, B);
	await program('tag', B, C, '--add', 'to watch', '--add', 'cats');
	const {stdout} = await program('ls');
	t.regex(stdout, / {2}http:\/\/a\.example\/a {2}\*$/m);
	t.regex(stdout, / {2}http:\/\/a\.example\/b {2}\* {2}\[cats, to watch\]$/m);
	t.regex(stdout, / {2}http:\/\/a\.example\/c {2}\[cats, to watch\]$/m);
	await program('pin', '--undo', A);
	t.regex((await program('ls')).stdout, / {2}http:\/\/a\.example\/a$/m);
});

test('larder ls --tag lists what has just this tag', async t => {
	const {program} = await storeOf(t, A, B, C);
	await program('tag', A, B, '--add', 'cats');
	await program('tag', C, '--add', 'cat');
	t.deepEqual(await urlsListed(program, '--tag', 'cats'), [A, B]);
	t.deepEqual(await urlsListed(program, '--tag', 'cat'), [C]);
	t.deepEqual(await program('ls', '--tag', 'dogs'), QUIET);
});

test('larder rm --tag removes all that has the tag, pinned or not, and nothing where nothing has it', async t => {
	const {program} = await storeOf(t, A, B, C);
	await program('tag', A, B, '--add', 'cats');
	await program('pin', A);
	t.deepEqual(await program('rm', '--tag', 'dogs'), QUIET);
	t.deepEqual(await urlsListed(program), [A, B, C]);
	t.deepEqual(await program('rm', '--tag', 'cats'), QUIET);
	t.deepEqual(await urlsListed(program), [C]);
});

test('larder rm --tag takes what it removes off a mounted drive', async t => {
	const {mount, origin} = await startDrive(t);
	const [gone, stays] = [origin.serve('/gone', {size: 1000}), origin.serve('/stays', {size: 1000})];
	await fetchAll(mount, gone, stays);
	const program = programOn(mount.cacheDir);
	t.deepEqual(await program('tag', gone, '--add', 'cats'), QUIET);
	t.deepEqual(await program('rm', '--tag', 'cats'), QUIET);
	await until('it is gone', async () => (await listed(mount)).join() === encodeURIComponent(stays));
});

test('pin and tag of what is not stored is one line and exit 1, stores nothing, and the others are done', async t => {
	const {program} = await storeOf(t, A);
	for (const args of [['pin'], ['tag', '--add', 'cats']] as const) {
		const [command, ...flags] = args;
		const {code, stdout, stderr} = await program(command, NOWHERE, A, ...flags);
		t.is(code, 1);
		t.is(stdout, '');
		t.regex(stderr, /^larder: [^\n]*a\.example\/nowhere is not stored\n$/);
	}

	t.like(await listing(program), {length: 1, 0: {url: A, pinned: true, tags: ['cats']}});
});

test('what is no tag, and a command that names nothing to do, is wrong usage and changes nothing', async t => {
	const {program} = await storeOf(t, A);
	const noTags = ['', 'a,b', 'a\nb', 'tab\there', 'x'.repeat(101), 'line\u2028separator', 'escape\u001b[31m'];
	for (const wrong of noTags) {
		const commands = [
			['tag', A, '--add', wrong],
			['tag', A, '--remove', wrong],
			['ls', '--tag', wrong],
			['rm', '--tag', wrong],
		] as const;
		const results = await Promise.all(commands.map(([command, ...args]) => program(command, ...args)));
		for (const result of results) assertWrongUsage(t, result, /is not a tag; expected 1 to 100 printable/);
	}

	assertWrongUsage(t, await program('tag', A), /--add or --remove/);
	assertWrongUsage(
		t,
		await program('tag', A, '--add', 'x', '--remove', 'x'),
		/"x" cannot be added and removed at once/,
	);
	assertWrongUsage(t, await program('tag', '--add', 'x'), /missing required argument 'url'/);
	assertWrongUsage(t, await program('pin'), /missing required argument 'url'/);
	assertWrongUsage(t, await program('rm'), /there is nothing to remove/);
	assertWrongUsage(t, await program('rm', A, '--tag', 'x'), /URLs or a --tag, not both/);
	t.like(await listing(program), {length: 1, 0: {url: A, pinned: false, tags: []}});
});

test('a tag may be in any script, with spaces and signs, and 100 characters long', async t => {
	const {program} = await storeOf(t, A);
	const tags = ['büro/2026 #1', '猫', '🐈'.repeat(100)];
	t.deepEqual(await program('tag', A, ...tags.flatMap(tag => ['--add', tag])), QUIET);
	for (const tag of tags) t.deepEqual(await urlsListed(program, '--tag', tag), [A], tag);
	t.deepEqual([...((await listing(program))[0]?.tags ?? [])].sort(), [...tags].sort());
});
