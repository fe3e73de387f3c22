import {existsSync} from 'node:fs';
import {readFile, rm, truncate, writeFile} from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {openDatabase} from '../../src/sqlite/open.js';
import {
	contentsOf,
	fetchAll,
	filesOf,
	plant,
	put,
	reading,
	sha256,
	startDrive,
	workDirectory,
} from '../helpers/drive.js';
import {larderWith} from '../helpers/mount.js';
import {run, type Result} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const [A, B] = ['http://a.example/a', 'http://a.example/b'] as const;

/** Puts the program's clock ahead by more than a minute: file times cannot be put back. */
const LATE = {
	NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent('const now = Date.now; Date.now = () => now() + 61_000')}`,
};

function verify(cacheDir: string, ...flags: string[]): Promise<Result> {
	return larderWith({env: LATE}, 'verify', '--cache-dir', cacheDir, ...flags);
}

function parsed(stdout: string): Array<Record<string, unknown>> {
	const lines = stdout.split('\n').filter(line => line !== '');
	return lines.map(line => JSON.parse(line) as Record<string, unknown>);
}

test('larder verify names damage with exit 1 and leaves it; with --repair it is gone, and the exit code 0', async t => {
	const cacheDir = await workDirectory(t);
	for (const url of [A, B]) await plant(cacheDir, url, 'the bytes');
	await larderWith({}, 'stats', '--cache-dir', cacheDir);
	const clean = {code: 0, stdout: '2 entries, 18B; no damage\n', stderr: ''};
	t.deepEqual(await verify(cacheDir), clean);
	t.deepEqual(await verify(cacheDir, '--read', '--repair'), clean);

	await truncate(filesOf(cacheDir, A).data, 3);
	await writeFile(path.join(cacheDir, 'notes.txt'), 'somebody’s');
	const line = `${sha256(A)}: the sidecar says 9 bytes, the data file has 3; `;
	t.deepEqual(await verify(cacheDir), {
		code: 1,
		stdout: `${line}would be moved to quarantine; run with --repair\n1 entry, 9B; 1 finding: 1 not repaired; 1 foreign name left alone\n`,
		stderr: '',
	});
	t.is(await readFile(filesOf(cacheDir, A).data, 'utf8'), 'the');
	const young = await larderWith({}, 'verify', '--cache-dir', cacheDir);
	t.is(young.code, 0);
	t.true(
		young.stdout.startsWith(
			`${line}left alone: it has changed within the last minute\n1 entry, 9B; 1 finding: 1 too young`,
		),
	);

	const {code, stdout} = await verify(cacheDir, '--repair', '--json');
	t.is(code, 0);
	const [finding, summary] = parsed(stdout);
	t.like(finding, {kind: 'entry', name: sha256(A), outcome: 'repaired', action: 'moved to quarantine'});
	t.like(summary, {kind: 'summary', entries: 1, bytes: 9, foreign: 1, findings: {found: 0, repaired: 1}});
	t.regex(
		(await verify(cacheDir)).stdout,
		/^1 entry, 9B; no damage; 1 foreign name left alone; 2 files \(\d+B\) in quarantine\n$/,
	);
});

test('larder verify of what is no directory is one line and exit 1, and makes none', async t => {
	const nowhere = path.join(await workDirectory(t), 'nowhere');
	const {code, stdout, stderr} = await verify(nowhere, '--repair');
	t.is(code, 1);
	t.is(stdout, '');
	t.regex(stderr, /^larder: there is no cache directory at [^\n]+nowhere\n$/);
	t.false(existsSync(nowhere));
});

test('larder verify beside a drive that is read and written finds nothing, and what it repairs is downloaded anew', async t => {
	const {mount, origin} = await startDrive(t);
	const {cacheDir} = mount;
	const urls = Array.from({length: 20}, (_, index) => origin.serve(`/${index}`, {size: 10_000 + index}));
	await fetchAll(mount, ...urls);
	let isOver = false;
	const using = (async () => {
		for (let count = 0; !isOver; count++) {
			await put(mount, origin.url(`/put-${count % 3}`), 'x'.repeat(count * 100));
			await run('cat', [mount.path(origin.serve(`/new-${count}`, {size: 5000}))]);
			if (count % 4 === 0) await rm(mount.path(origin.url(`/put-${count % 3}`)), {force: true});
		}
	})();
	for (const flags of [[], ['--read'], ['--repair']]) {
		const {code, stdout} = await verify(cacheDir, ...flags);
		t.is(code, 0, stdout);
		t.regex(stdout, /^\d+ entries, [\d.]+KB; no damage\n$/);
	}

	isOver = true;
	await using;
	const [damaged = '', orphaned = ''] = urls;
	await truncate(filesOf(cacheDir, damaged).data, 3);
	await rm(filesOf(cacheDir, orphaned).sidecar);
	const {code, stdout} = await verify(cacheDir, '--repair');
	t.is(code, 0, stdout);
	t.regex(stdout, /; 2 findings: 2 repaired; 3 files /);
	const {entries, leftovers} = await contentsOf(cacheDir);
	t.deepEqual(leftovers, []);
	t.false(entries.some(name => [damaged, orphaned].map(sha256).includes(path.parse(name).name)));
	for (const [index, url] of [damaged, orphaned].entries()) {
		t.is(await reading(mount.path(url)), `read ${10_000 + index} bytes`);
		t.is(origin.requestsOf(`/${index}`).length, 2);
	}

	await until('the catalogue has them', async () => (await verify(cacheDir)).code === 0);
});

test('larder verify --repair corrects the catalogue under a drive, which goes on with that', async t => {
	const {mount, origin} = await startDrive(t);
	const urls = [origin.serve('/1', {size: 1000}), origin.serve('/2', {size: 2000})];
	await fetchAll(mount, ...urls);
	await until('the catalogue has them', async () => (await verify(mount.cacheDir)).code === 0);
	const catalogue = openDatabase(path.join(mount.cacheDir, '.larder', 'catalogue.sqlite'), {timeoutMs: 5000});
	catalogue.exec('DELETE FROM entries; UPDATE totals SET entries = 7');
	catalogue.close();
	t.is((await mount.stats())['entries'], 7);
	const {code, stdout} = await verify(mount.cacheDir);
	t.is(code, 1);
	t.regex(stdout, /catalogue\.sqlite: it counts 7 entries instead of 0; would be counted again; run with --repair\n/);
	t.regex((await verify(mount.cacheDir, '--repair')).stdout, /; 3 findings: 3 repaired\n$/);
	t.like(await mount.stats(), {entries: 2, total_bytes: 3000});
	for (const url of urls) await run('cat', [mount.path(url)]);
	t.deepEqual([origin.requestsOf('/1').length, origin.requestsOf('/2').length], [1, 1]);
});

test('larder verify --repair makes a catalogue that is gone anew under a drive, which goes on with that', async t => {
	const {mount, origin} = await startDrive(t);
	const urls = [origin.serve('/1', {size: 1000}), origin.serve('/2', {size: 2000})];
	await fetchAll(mount, ...urls);
	await rm(path.join(mount.cacheDir, '.larder', 'catalogue.sqlite'));
	// Whether the drive has noticed it first or not.
	t.is((await verify(mount.cacheDir, '--repair')).code, 0);
	await fetchAll(mount, origin.serve('/3', {size: 3000}));
	await until('the drive counts all of them', async () => (await mount.stats())['entries'] === 3);
	for (const url of urls) await run('cat', [mount.path(url)]);
	t.deepEqual([origin.requestsOf('/1').length, origin.requestsOf('/2').length], [1, 1]);
	await until('the catalogue is right', async () => (await verify(mount.cacheDir)).code === 0);
});
