import test, {type ExecutionContext} from 'ava';
import {contentsOf, evaluate, fetchAll, listed, put, reading, startDrive} from '../helpers/drive.js';
import type {Mount} from '../helpers/mount.js';
import {Origin, type Behaviour} from '../helpers/origin.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

/** Short enough for a test; what is measured is that they hold, not how exactly. */
const DEADLINES = [
	...['--connect-timeout', '1s', '--headers-timeout', '300ms', '--idle-timeout', '300ms'],
	...['--open-timeout', '3s', '--read-timeout', '3s', '--retries', '0'],
];
/** An answer after this would be a reader that hung. */
const ANSWERED_MS = 10_000;

const SECRET = 'sesame';

/** How an origin fails, and the errno of who reads it. */
const FAILURES: ReadonlyArray<readonly [string, Behaviour, string]> = [
	['404', {status: 404, body: 'no'}, 'ENOENT'],
	['410', {status: 410}, 'ENOENT'],
	['401', {status: 401}, 'EACCES'],
	['403', {status: 403, body: 'no'}, 'EACCES'],
	['451', {status: 451}, 'EACCES'],
	['500', {status: 500, body: 'trouble'}, 'EIO'],
	['503', {status: 503}, 'EIO'],
	['a body that is cut short', {size: 600_000, cutAt: 250_000}, 'EIO'],
	['a body that is cut short before its first byte', {size: 600_000, cutAt: 0}, 'EIO'],
	['a chunked body that is cut short', {size: 600_000, cutAt: 250_000, chunked: true}, 'EIO'],
	['a body that is longer than announced', {size: 600_000, announce: 500_000}, 'EIO'],
	['a body that is shorter than announced', {size: 600_000, announce: 700_000}, 'EIO'],
	['an origin that never answers', {hang: true}, 'ETIMEDOUT'],
	['a body that stalls', {size: 600_000, stallAt: 300_000}, 'ETIMEDOUT'],
	['a chunked body that stalls', {size: 600_000, stallAt: 300_000, chunked: true}, 'ETIMEDOUT'],
	['a redirect in a circle', {redirect: '/redirect'}, 'EIO'],
	['a redirect to a file', {redirect: 'file:///etc/passwd'}, 'EACCES'],
];

test('each failure of an origin has its errno and one line in the log, and leaves nothing behind', async t => {
	const {mount, origin} = await startDrive(t, {flags: DEADLINES});
	const good = origin.serve('/good', {body: 'good'});
	await fetchAll(mount, good);
	origin.serve('/redirect', {redirect: '/redirect'});
	const results: string[] = [];
	for (const [index, [failure, behaviour]] of FAILURES.entries()) {
		origin.serve(`/failure/${index}`, behaviour);
		const url = `http://me:${SECRET}@${origin.host}/failure/${index}?token=${SECRET}`;
		const errno = await reading(mount.path(url), {deadlineMs: ANSWERED_MS});
		results.push(`${failure}: ${errno}, lines: ${linesAbout(mount, `/failure/${index}`).length}`);
		await assertUnharmed(t, mount, good, origin);
	}

	t.deepEqual(
		results,
		FAILURES.map(([failure, , errno]) => `${failure}: ${errno}, lines: 1`),
	);
	const refused = await Origin.refused();
	t.is(await reading(mount.path(`${refused}x?token=${SECRET}`), {deadlineMs: ANSWERED_MS}), 'EHOSTUNREACH');
	t.is(linesAbout(mount, refused).length, 1);
	await assertUnharmed(t, mount, good, origin);
	t.false(mount.log.includes(SECRET));
});

test('the secrets of a URL are in no line of the log, not at level debug either', async t => {
	const {mount, origin} = await startDrive(t, {flags: [...DEADLINES, '--log-level', 'debug']});
	origin.serve('/ok', {body: 'ok'});
	origin.serve('/cut', {size: 300_000, cutAt: 200_000});
	for (const path of ['/ok', '/missing', '/cut']) {
		const url = `http://me:${SECRET}@${origin.host}${path}?token=${SECRET}#${SECRET}`;
		await run('cat', [mount.path(url)]);
		await evaluate('fs.appendFileSync(f, "more")', [mount.path(url)]);
		await evaluate('fs.mkdirSync(f)', [mount.path(url)]);
		await evaluate('fs.renameSync(f, f + "x")', [mount.path(url)]);
		await evaluate('fs.unlinkSync(f)', [mount.path(url)]);
	}

	t.is(await mount.stop(), 0);
	t.regex(mount.log, /\/missing/);
	t.false(mount.log.includes(SECRET), mount.log);
});

test('an origin that recovers is read, without a trace of the failure', async t => {
	const {mount, origin} = await startDrive(t, {flags: DEADLINES});
	const url = origin.serve('/recovers', {
		...{size: 400_000, etag: '"v2"'},
		sequence: [{status: 500}, {size: 300_000, cutAt: 200_000}, {hang: true}],
	});
	for (const errno of ['EIO', 'EIO', 'ETIMEDOUT']) t.is(await reading(mount.path(url)), errno);
	t.is(await reading(mount.path(url)), 'read 400000 bytes');
	await fetchAll(mount, url);
	t.is(await reading(mount.path(url)), 'read 400000 bytes');
	t.is(origin.requests.length, 4);
});

test('a failure that passes is tried again before anybody hears of it', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--retries', '2']});
	const url = origin.serve('/busy', {body: 'at last', sequence: [{status: 503}, {status: 502}]});
	t.is((await run('cat', [mount.path(url)])).stdout, 'at last');
	t.is(origin.requests.length, 3);
});

test('what is larger than the budget is EFBIG, and costs no other entry its place', async t => {
	const {mount, origin} = await startDrive(t, {flags: [...DEADLINES, '--max-size', '2MB']});
	const kept = [1, 2, 3].map(index => origin.serve(`/kept/${index}`, {size: 300_000}));
	await fetchAll(mount, ...kept);
	for (const [index, behaviour] of [{}, {chunked: true}, {chunked: true, rate: 20_000_000}].entries()) {
		const url = origin.serve(`/huge/${index}`, {size: 5_000_000, ...behaviour} as Behaviour);
		t.is(await reading(mount.path(url), {deadlineMs: ANSWERED_MS}), 'EFBIG');
		t.is(linesAbout(mount, `/huge/${index}`).length, 1);
	}

	t.deepEqual((await listed(mount)).sort(), kept.map(encodeURIComponent).sort());
	for (const url of kept) t.is(await reading(mount.path(url)), 'read 300000 bytes');
	t.is(origin.requests.length, 6);
	await until('no part of it is left', async () => (await contentsOf(mount.cacheDir)).leftovers.length === 0);
});

test('what does not fit beside the others makes those leave that were read longest ago', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--max-size', '1MB']});
	const urls = [1, 2, 3, 4].map(index => origin.serve(`/${index}`, {size: 300_000}));
	const [first = '', second = '', third = '', fourth = ''] = urls;
	for (const url of [first, second, third]) await fetchAll(mount, url);
	await run('cat', [mount.path(first)]);
	await fetchAll(mount, fourth);
	await until('one has left', async () => (await listed(mount)).length === 3);
	t.deepEqual((await listed(mount)).sort(), [first, third, fourth].map(encodeURIComponent).sort());
	t.is((await put(mount, second, 'by hand')).code, 0);
	t.true((await mount.stats())['total_bytes']! <= 1024 * 1024); // stats.json always has it
});

/** Lines that a user sees about a URL. */
function linesAbout(mount: Mount, text: string): string[] {
	return mount.logLines.filter(line => line.includes(text));
}

async function assertUnharmed(t: ExecutionContext, mount: Mount, good: string, origin: Origin): Promise<void> {
	t.is(await reading(mount.path(good)), 'read 4 bytes');
	t.deepEqual(await listed(mount), [encodeURIComponent(good)]);
	t.is(origin.requestsOf('/good').length, 1);
	await until('nothing of it is left on the disk', async () => {
		const {entries, leftovers} = await contentsOf(mount.cacheDir);
		return leftovers.length === 0 && entries.length === 2;
	});
}
