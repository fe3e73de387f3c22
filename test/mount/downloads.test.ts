import test, {type ExecutionContext} from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdir, readFile, stat} from 'node:fs/promises';
import type {ServerResponse} from 'node:http';
import path from 'node:path';
import type {DownloadStatus} from '../../src/cache/download-status.js';
import {evaluate, sha256, startDrive, startOrigin, workDirectory} from '../helpers/drive.js';
import {fakeFfmpeg} from '../helpers/ffmpeg.js';
import {gif} from '../helpers/gif.js';
import {larder, Mount} from '../helpers/mount.js';
import {generatedBody, type Behaviour} from '../helpers/origin.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

/** A body of which a part comes when the test says so. */
class StepwiseBody {
	readonly body: Buffer;
	readonly #responses: ServerResponse[] = [];
	#sent = 0;

	constructor(size: number) {
		this.body = generatedBody(size);
	}

	/** For the origin: headers at once, and of the body what others were sent by now. */
	get behaviour(): Behaviour {
		return {
			handle: (_request, response) => {
				response.writeHead(200, {'content-length': this.body.byteLength});
				response.flushHeaders();
				if (this.#sent > 0) response.write(this.body.subarray(0, this.#sent));
				if (this.#sent >= this.body.byteLength) response.end();
				else this.#responses.push(response);
			},
		};
	}

	/** Once it was asked for: sends so much more, or all that is left. */
	async send(bytes = Infinity): Promise<void> {
		await until('the request', () => this.#responses.length > 0);
		const from = this.#sent;
		this.#sent += bytes;
		for (const response of this.#responses) {
			response.write(this.body.subarray(from, this.#sent));
			if (this.#sent >= this.body.byteLength) response.end();
		}
	}
}

type Driven = Awaited<ReturnType<typeof startDrive>>;

function fileOf(mount: Mount): string {
	return path.join(mount.directory, 'downloads.json');
}

async function downloadsOf(mount: Mount): Promise<DownloadStatus[]> {
	return JSON.parse(await readFile(fileOf(mount), 'utf8')) as DownloadStatus[];
}

/** Waits for a rendering where the download of `url`, which has no query, is as it should be. */
function whereIt(
	is: string,
	mount: Mount,
	url: string,
	condition: (status: DownloadStatus) => boolean,
	deadlineMs?: number,
): Promise<DownloadStatus> {
	const look = async () => (await downloadsOf(mount)).find(status => status.url === url && condition(status));
	return until(`${url} ${is}`, look, deadlineMs) as Promise<DownloadStatus>;
}

function whereNoneIs(mount: Mount): Promise<boolean> {
	return until('no download is left', async () => (await downloadsOf(mount)).length === 0);
}

/** Opens a file and reads nothing. Resolves, once it is open, with what closes it. */
async function hold(t: ExecutionContext, file: string): Promise<() => void> {
	const holder = spawn('bash', ['-c', 'exec 3< "$1"; echo open; read -r', 'bash', file]);
	t.teardown(() => holder.kill('SIGKILL'));
	await once(holder.stdout, 'data');
	return () => holder.stdin.end('\n');
}

test('downloads.json is an empty array while nothing is downloaded', async t => {
	const {mount, origin} = await startDrive(t);
	t.is(await readFile(fileOf(mount), 'utf8'), '[]\n');
	await run('cat', [mount.path(origin.serve('/a', {body: 'hello'}))]);
	await whereNoneIs(mount);
	t.is(await readFile(fileOf(mount), 'utf8'), '[]\n');
});

test('a download is there without the secrets of its URL, grows, and is gone after its end', async t => {
	const {mount, origin} = await startDrive(t);
	const film = new StepwiseBody(300_000);
	const url = origin.serve('/film.mp4', film.behaviour);
	const secret = `${url.replace('http://', 'http://me:pw@')}?token=1#part`;
	const reading = run('sha256sum', [mount.path(secret)]);
	await film.send(100_000);
	const first = await whereIt('has its first part', mount, url, ({bytes}) => bytes === 100_000);
	t.deepEqual(Object.keys(first), ['url', 'bytes', 'total', 'rate', 'seconds_left', 'readers', 'state']);
	t.like(first, {total: 300_000, state: 'downloading'});
	t.notRegex(await readFile(fileOf(mount), 'utf8'), /pw|token|part/);

	await film.send(100_000);
	const {rate, seconds_left} = await whereIt('has its second part', mount, url, ({bytes}) => bytes === 200_000);
	// Less than a second counts as one.
	t.true(rate > 0 && rate <= 200_000, String(rate));
	t.is(seconds_left, Math.ceil(100_000 / rate));

	await film.send();
	t.is((await reading).stdout.slice(0, 64), sha256(film.body));
	await whereNoneIs(mount);
});

test('a download that stalls has rate 0 and no end in sight, and goes on', async t => {
	const {mount, origin} = await startDrive(t);
	const film = new StepwiseBody(300_000);
	const url = origin.serve('/stalls', film.behaviour);
	const reading = run('sha256sum', [mount.path(url)], {deadlineMs: 60_000});
	await film.send(100_000);
	await whereIt('comes', mount, url, ({rate}) => rate > 0);
	const stalled = await whereIt('has stalled', mount, url, ({rate}) => rate === 0, 20_000);
	t.like(stalled, {bytes: 100_000, total: 300_000, seconds_left: null, state: 'downloading'});
	await film.send(100_000);
	await whereIt('goes on', mount, url, ({rate, seconds_left}) => rate > 0 && seconds_left !== null);
	await film.send();
	t.is((await reading).stdout.slice(0, 64), sha256(film.body));
});

test('a download has as many readers as have it open', async t => {
	const {mount, origin} = await startDrive(t);
	const film = new StepwiseBody(300_000);
	const url = origin.serve('/shared', film.behaviour);
	const holding = hold(t, mount.path(url));
	await whereIt('is waited for', mount, url, ({readers}) => readers === 1);
	await film.send(100_000);
	const leave = await holding;
	const leaveToo = await hold(t, mount.path(url));
	await whereIt('has two readers', mount, url, ({readers}) => readers === 2);
	t.is((await downloadsOf(mount)).length, 1);
	leave();
	await whereIt('has one reader', mount, url, ({readers}) => readers === 1);
	await film.send();
	await whereNoneIs(mount);
	leaveToo();
	t.is(origin.requests.length, 1);
});

test('downloads are in the order in which they began; one that waits for its turn has nothing yet', async t => {
	// A lookup that asks has a slot of its own.
	const {mount, origin} = await startDrive(t, {flags: ['--max-downloads', '2'], transport: 'fuse-native'});
	const urls: string[] = [];
	const readings = [];
	const bodies = ['/z', '/m', '/a'].map(name => ({name, film: new StepwiseBody(100_000)}));
	for (const {name, film} of bodies) {
		const url = origin.serve(name, film.behaviour);
		readings.push(run('cat', [mount.path(url)]));
		await whereIt('is there', mount, url, () => true);
		urls.push(url);
	}

	const [first, second, third] = bodies;
	await first?.film.send(50_000);
	await whereIt('comes', mount, urls[0] ?? '', ({state}) => state === 'downloading');
	const statuses = await downloadsOf(mount);
	t.deepEqual(
		statuses.map(({url}) => url),
		urls,
	);
	t.like(statuses[2], {bytes: 0, total: null, rate: 0, seconds_left: null, state: 'waiting'});
	t.deepEqual(origin.requestsOf('/a'), []);
	for (const body of [first, second, third]) await body?.film.send();
	t.true((await Promise.all(readings)).every(({code}) => code === 0));
	await whereNoneIs(mount);
});

test('a body whose length nobody knows has no total and no end in sight', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/chunked', {size: 300_000, chunked: true, stallAt: 100_000});
	void run('cat', [mount.path(url)]);
	const status = await whereIt('has come so far', mount, url, ({bytes}) => bytes === 100_000);
	t.like(status, {total: null, seconds_left: null, state: 'downloading'});
});

test('what another process downloads is followed, at the speed at which it comes', async t => {
	const drive = await startDrive(t);
	// Who asks whether somebody is at it waits a second for an answer, and then fetches by itself: on a busy machine that may be.
	for (let attempt = 1; attempt <= 5; attempt++) if (await isFollowed(t, drive, `/followed-${attempt}`)) return;
	t.fail('each of five was fetched by the drive itself');
});

/** @returns whether it was followed; what is to be seen then is asserted. */
async function isFollowed(t: ExecutionContext, {mount, origin}: Driven, place: string): Promise<boolean> {
	const before = origin.requests.length;
	const film = new StepwiseBody(3_000_000);
	const url = origin.serve(place, film.behaviour);
	const getting = larder('get', url, '--cache-dir', mount.cacheDir);
	await film.send(2_000_000);
	await until('the other process has it on the disk', async () => {
		const partials = path.join(mount.cacheDir, '.larder', 'downloads');
		const [name] = await readdir(partials);
		return name !== undefined && (await stat(path.join(partials, name))).size === 2_000_000;
	});
	t.deepEqual(await downloadsOf(mount), []);
	const reading = run('sha256sum', [mount.path(url)]);
	const begun = await whereIt('is followed', mount, url, ({bytes}) => bytes === 2_000_000);
	if (begun.state === 'downloading') {
		await film.send();
		t.is((await reading).stdout.slice(0, 64), sha256(film.body));
		t.is((await getting).code, 0);
		await whereNoneIs(mount);
		return false;
	}

	t.like(begun, {total: 3_000_000, rate: 0, seconds_left: null, state: 'following'});
	await film.send(100_000);
	const {rate} = await whereIt('goes on', mount, url, ({bytes}) => bytes === 2_100_000);
	t.true(rate > 0 && rate <= 100_000, String(rate));
	await film.send();
	t.is((await reading).stdout.slice(0, 64), sha256(film.body));
	t.is((await getting).code, 0);
	await whereNoneIs(mount);
	t.is(origin.requests.length - before, 1);
	return true;
}

test('a GIF that has arrived is converting until it is stored', async t => {
	const directory = await workDirectory(t);
	const gate = path.join(directory, 'gate');
	const ffmpeg = fakeFfmpeg(directory, `while [ ! -e '${gate}' ]; do /bin/sleep 0.05; done; exit 1`);
	const origin = await startOrigin(t);
	const mount = await Mount.start(t, {flags: ['--ffmpeg', ffmpeg]});
	const body = gif({width: 20, height: 10, frames: [{delay: 10, color: 0}]});
	const url = origin.serve('/a.gif', {body, type: 'image/gif'});
	const reading = run('sha256sum', [mount.path(url)]);
	const status = await whereIt('is converting', mount, url, ({state}) => state === 'converting');
	t.like(status, {bytes: body.byteLength, total: null, seconds_left: null});
	await run('touch', [gate]);
	t.is((await reading).stdout.slice(0, 64), sha256(body));
	await whereNoneIs(mount);
});

test('an open downloads.json has the size that is read from it, however it changes', async t => {
	const {mount, origin} = await startDrive(t);
	const sizeAndText = '(d => `${fs.fstatSync(d).size}\\n${fs.readFileSync(d)}`)(fs.openSync(f))';
	for (let round = 0; round < 6; round++) {
		const url = origin.serve(`/${'x'.repeat(10 ** (round % 3))}${round}`, {size: 1_000_000, stallAt: 10_000});
		await hold(t, mount.path(url));
		await whereIt('is there', mount, url, ({total}) => total === 1_000_000);
		const [size, ...lines] = (await evaluate(sizeAndText, [fileOf(mount)])).split('\n');
		// What is evaluated is printed without the white space at its end.
		const text = `${lines.join('\n')}\n`;
		t.is(Number(size), Buffer.byteLength(text), `round ${round}`);
		t.is((JSON.parse(text) as unknown[]).length, round + 1);
	}
});

test('readers of downloads.json share one rendering for as long as any of them has it open', async t => {
	const {mount, origin} = await startDrive(t);
	const close = await hold(t, fileOf(mount));
	const url = origin.serve('/slow', {size: 1_000_000, stallAt: 10_000});
	await hold(t, mount.path(url));
	t.is((await mount.stats())['downloads_running'], 1);
	t.deepEqual(await downloadsOf(mount), []);
	close();
	await whereIt('is in the next rendering', mount, url, () => true);
	t.pass();
});

test('downloads.json can be neither written nor removed', async t => {
	const {mount} = await startDrive(t);
	const file = fileOf(mount);
	for (const flag of ['w', 'a', 'r+']) t.is(await evaluate('fs.openSync(f, g)', [file, flag]), 'EPERM', flag);
	t.is(await evaluate('fs.truncateSync(f, 0)', [file]), 'EPERM');
	t.is(await evaluate('fs.unlinkSync(f)', [file]), 'EPERM');
	t.is((await run('stat', ['-c', '%a %F', file])).stdout, '444 regular file\n');
	t.is(await readFile(file, 'utf8'), '[]\n');
});
