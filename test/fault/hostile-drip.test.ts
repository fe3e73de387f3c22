/** Bodies that come a byte at a time, for ever: theirs to leave who read them, and afterwards nobody's. */
import test, {type ExecutionContext} from 'ava';
import {openCache} from '../../src/library/open.js';
import {failsWith, keptFiles, leftovers, MIB, readWhole, TestClock, temporaryDirectory} from '../helpers/cache.js';
import {reading} from '../helpers/drive.js';
import {drip} from '../helpers/hostile-answers.js';
import {Mount} from '../helpers/mount.js';
import {RawOrigin} from '../helpers/raw-origin.js';
import {until} from '../helpers/until.js';

const MINUTE_MS = 60_000;

/** Enough for readers to know the size, and then a byte now and then. */
function dripping(...headers: string[]) {
	return drip(['HTTP/1.1 200 OK', ...headers, '', 'a'.repeat(8192)].join('\r\n'), 'a', 20);
}

const DRIPS = {
	'of a known length': dripping('Content-Length: 2000000'),
	'of a known length that could be gone on with': dripping(
		'Content-Length: 8000000',
		'ETag: "a"',
		'Accept-Ranges: bytes',
	),
	'of no length': drip('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\na\r\n', 20),
};

/** A cache with one slot, and an origin. */
async function open(t: ExecutionContext) {
	const [origin, directory, clock] = [await RawOrigin.start(t), temporaryDirectory(t), new TestClock()];
	const cache = openCache({directory, clock, maxDownloads: 1, http: {retries: 0}});
	t.teardown(() => cache.close());
	const ok = origin.serve('/ok', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc');
	return {origin, directory, clock, cache, ok};
}

for (const [what, answer] of Object.entries(DRIPS)) {
	test(`a drip ${what} has its slot for a minute after its last reader has left`, async t => {
		const {origin, directory, clock, cache, ok} = await open(t);
		const url = origin.serve('/drip', answer);
		const leaving = new AbortController();
		const opened = cache.open(url, leaving.signal).then(version => version.close());
		await until('some of it has come', () => cache.downloads().some(({bytes}) => bytes > 0));
		leaving.abort();
		await opened.catch(() => undefined);

		let next: string | undefined;
		void cache.open(ok).then(async version => (next = await readWhole(version)));
		const bytes = () => cache.downloads().find(({url: one}) => one === url)?.bytes ?? 0;
		await until('the next one waits', () => cache.downloads().length === 2);
		const before = bytes();
		clock.advance(MINUTE_MS / 2);
		await until('more of it has come', () => bytes() > before + 60);
		t.is(cache.downloads().length, 2);
		clock.advance(MINUTE_MS / 2);
		await until('the next one has the slot', () => next === 'abc');
		await until('its connection is closed', () => origin.open <= 1);
		await until('nothing is on its way', () => leftovers(directory).length === 0);
		t.is(keptFiles(directory).length, what.includes('gone on') ? 2 : 0);
	});
}

test('a drip goes on as long as it is read, and ends when the cache is closed', async t => {
	const {origin, directory, clock, cache} = await open(t);
	const version = await cache.open(origin.serve('/drip', DRIPS['of a known length']));
	const reading = version.read(Buffer.alloc(100), 1_000_000);
	clock.advance(10 * MINUTE_MS);
	const before = cache.downloads()[0]?.bytes ?? 0;
	await until('more of it has come', () => (cache.downloads()[0]?.bytes ?? 0) > before + 50);
	const failed = failsWith(t, 'aborted', reading);
	await cache.close();
	await failed;
	version.close();
	await until('its connection is closed', () => origin.open === 0);
	t.deepEqual([...leftovers(directory), ...keptFiles(directory)], []);
});

test('what comes without readers goes on where it brings something', async t => {
	const {origin, clock, cache} = await open(t);
	const head = `HTTP/1.1 200 OK\r\nContent-Length: ${MIB}\r\n\r\n${'a'.repeat(8192)}`;
	const url = origin.serve('/slow', drip(head, 'a'.repeat(65_536), 1100));
	(await cache.open(url)).close();
	for (let pieces = 1; pieces <= 3; pieces++) {
		clock.advance((2 / 3) * MINUTE_MS);
		await until('a piece has come', () => cache.downloads().some(({bytes}) => bytes >= pieces * 65_536));
	}

	t.is(cache.downloads().length, 1);
});

test('through the kernel a drip is ETIMEDOUT after the read timeout, and does not hold up the end of the drive', async t => {
	const origin = await RawOrigin.start(t);
	const mount = await Mount.start(t, {flags: ['--open-timeout', '500ms', '--read-timeout', '500ms']});
	const outcomes = Object.entries(DRIPS).map(([, answer], index) =>
		reading(mount.path(origin.serve(`/${index}`, answer))),
	);
	t.deepEqual(await Promise.all(outcomes), ['ETIMEDOUT', 'ETIMEDOUT', 'ETIMEDOUT']);
	const waiting = reading(mount.path(origin.url('/0')));
	await until('it is being read', async () => (await mount.stats())['downloads_running'] !== 0);
	t.is(await mount.stop('SIGINT'), 0);
	t.not(await waiting, 'no answer');
	await until('all connections are closed', () => origin.open === 0);
});
