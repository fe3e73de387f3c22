import test, {type ExecutionContext} from 'ava';
import {readFile, truncate, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {
	contentsOf,
	fetchAll,
	filesOf,
	listed,
	plant,
	put,
	reading,
	sha256,
	startDrive,
	workDirectory,
} from '../helpers/drive.js';
import {Mount} from '../helpers/mount.js';
import {generatedBody} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const asRoot = process.getuid?.() === 0 ? test : test.skip;
const because = process.getuid?.() === 0 ? '' : ' (skipped: only root can mount a small disk)';

/** A disk of 4 MB that goes with the test. */
async function smallDisk(t: ExecutionContext): Promise<string> {
	const directory = path.join(await workDirectory(t), 'disk');
	await run('mkdir', [directory]);
	const {code, stderr} = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', directory]);
	t.is(code, 0, stderr);
	t.teardown(() => run('umount', ['-l', directory]));
	return directory;
}

asRoot(
	`what a full disk cannot hold is ENOSPC; what is stored stays or makes room, nothing is torn${because}`,
	async t => {
		const disk = await smallDisk(t);
		const {mount, origin} = await startDrive(t, {cacheDir: path.join(disk, 'cache')});
		const url = origin.serve('/kept', {size: 200_000});
		await fetchAll(mount, url);
		// Not the store's own: it cannot make this room.
		await writeFile(path.join(disk, 'ballast'), Buffer.alloc(3_000_000));

		for (const behaviour of [{}, {chunked: true}] as const) {
			const huge = origin.serve('/huge', {size: 3_500_000, ...behaviour});
			t.is(await reading(mount.path(huge)), 'ENOSPC');
			t.is(mount.logLines.filter(line => line.includes('/huge')).length >= 1, true);
		}

		const written = await put(mount, 'http://a.example/huge', generatedBody(3_500_000));
		t.is(written.code, 1);
		t.regex(written.stderr, /No space left on device/);
		t.false((await listed(mount)).includes(encodeURIComponent('http://a.example/huge')));
		await until('what was begun is gone', async () => (await contentsOf(mount.cacheDir)).leftovers.length === 0);

		const small = origin.serve('/small', {size: 100_000});
		t.is(await reading(mount.path(small)), 'read 100000 bytes');
		t.is(await reading(mount.path(url)), 'read 200000 bytes');
		t.true(origin.requestsOf('/kept').length <= 2);
	},
);

asRoot(`on a full disk entries leave to make room for the next${because}`, async t => {
	const {mount, origin} = await startDrive(t, {cacheDir: path.join(await smallDisk(t), 'cache')});
	for (let index = 0; index < 12; index++) {
		const url = origin.serve(`/${index}`, {size: 900_000});
		t.is(await reading(mount.path(url)), 'read 900000 bytes', `file ${index}`);
	}

	const last = origin.url('/11');
	await fetchAll(mount, last);
	t.is((await run('sha256sum', [mount.path(last)])).stdout.slice(0, 64), sha256(generatedBody(900_000)));
	t.is(origin.requestsOf('/11').length, 1);
});

test('damaged entries are neither served nor fatal: they are fetched again', async t => {
	const cacheDir = await workDirectory(t);
	const {mount: first, origin} = await startDrive(t, {cacheDir});
	const urls = ['short', 'no-data', 'bad-json', 'wrong-url', 'link', 'good'].map(name =>
		origin.serve(`/${name}`, {body: `body of ${name}`}),
	);
	await fetchAll(first, ...urls);
	t.is(await first.stop(), 0);
	const [short = '', noData = '', badJson = '', wrongUrl = '', link = ''] = urls.map(url => filesOf(cacheDir, url));
	await truncate(data(short), 3);
	await run('rm', [data(noData)]);
	await writeFile(sidecar(badJson), '{"url": ');
	const text = await readFile(sidecar(wrongUrl), 'utf8');
	await writeFile(sidecar(wrongUrl), text.replace('/wrong-url', '/other'));
	await run('ln', ['-sf', '/etc/hostname', data(link)]);
	await writeFile(path.join(cacheDir, 'notes.txt'), "somebody's own");

	const {mount} = await startDrive(t, {cacheDir});
	for (const url of urls) {
		const name = new URL(url).pathname.slice(1);
		t.is((await run('cat', [mount.path(url)])).stdout, `body of ${name}`);
		t.is(origin.requestsOf(`/${name}`).length, name === 'good' ? 1 : 2, name);
	}

	await fetchAll(mount, ...urls);
	t.deepEqual((await listed(mount)).sort(), urls.map(encodeURIComponent).sort());
	t.is(await readFile(path.join(cacheDir, 'notes.txt'), 'utf8'), "somebody's own");
	t.true((await run('cat', ['/etc/hostname'])).code === 0);
});

test('bytes that change under a reader are EIO, never a mixture', async t => {
	const cacheDir = await workDirectory(t);
	const {mount: first, origin} = await startDrive(t, {cacheDir});
	const url = origin.serve('/changed', {size: 3_000_000});
	await fetchAll(first, url);
	t.is(await first.stop(), 0);
	// A new drive, so that no page of it is in memory; rewritten in place, as the original does.
	// What the kernel reads by itself nobody compares.
	const mount = await Mount.start(t, {cacheDir, flags: ['--passthrough', 'off']});
	const script = '{ head -c 1000 > /dev/null; head -c 3000000 /dev/zero > "$2"; cat > /dev/null; } < "$1"';
	const {stderr} = await sh(script, mount.path(url), filesOf(cacheDir, url).data);
	t.regex(stderr, /Input\/output error/);
});

test('an entry that another program writes or removes appears or goes within 2 s', async t => {
	const {mount, origin} = await startDrive(t);
	const url = 'http://a.example/from-outside';
	await plant(mount.cacheDir, url, 'from outside');
	await until('it is listed', async () => (await listed(mount)).includes(encodeURIComponent(url)), 2000);
	t.is((await run('cat', [mount.path(url)])).stdout, 'from outside');
	await until('it is counted', async () => (await mount.stats())['entries'] === 1, 2000);

	const files = filesOf(mount.cacheDir, url);
	await run('rm', [files.sidecar, files.data]);
	await until('it is not listed', async () => (await listed(mount)).length === 0, 2000);
	await until('it is not counted', async () => (await mount.stats())['entries'] === 0, 2000);
	t.is(origin.connections, 0);
});

function data(files: ReturnType<typeof filesOf> | ''): string {
	return files === '' ? '' : files.data;
}

function sidecar(files: ReturnType<typeof filesOf> | ''): string {
	return files === '' ? '' : files.sidecar;
}
