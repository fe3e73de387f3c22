/** A download that does not come to where readers in other processes wait, or that only they read. */
import test, {type ExecutionContext} from 'ava';
import {openCache, type UrlCache} from '../../src/library/open.js';
import {leftovers, MIB, temporaryDirectory} from '../helpers/cache.js';
import {startOrigin} from '../helpers/drive.js';
import {ForkedCache} from '../helpers/forked-cache.js';
import {generated, type Behaviour, type Origin} from '../helpers/origin.js';
import {until} from '../helpers/until.js';

const LIMIT_BYTES = 256 * MIB;
const SIZE = 12 * MIB + 12_345;
const FILM: Behaviour = {size: SIZE, ranges: true, etag: '"one"'};
const LONG: Behaviour = {...FILM, size: 100 * MIB};
const STALLED: Behaviour = {...FILM, stallAt: MIB};

/** A process beside this one on a directory. */
function fork(t: ExecutionContext, directory: string, slot: number): Promise<ForkedCache> {
	return ForkedCache.start(t, {directory, limitBytes: LIMIT_BYTES, slot, seed: slot, firstCount: 0});
}

/** A cache in this process, and others beside it. */
async function setUp(t: ExecutionContext, behaviour: Behaviour, followers: number) {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, limits: {maxBytes: LIMIT_BYTES}, http: {retries: 0, idleTimeoutMs: 60_000}});
	t.teardown(() => cache.close());
	await cache.load();
	const processes = await Promise.all(Array.from({length: followers}, (_, slot) => fork(t, directory, slot)));
	return {origin, directory, cache, processes, url: origin.serve('/film', behaviour)};
}

/** Has a process follow. One that could not be told in time who downloads would download for itself. */
async function follow(process: ForkedCache | undefined, url: string): Promise<void> {
	for (let misses = 0; ; misses++) {
		await process?.ask('open', url);
		if ((await process?.ask('stats'))?.misses === misses) return;
		await process?.ask('leave', url);
		await process?.ask('evict', url);
	}
}

/** Whether a process reads there what the origin has. */
async function isRight(process: ForkedCache | undefined, url: string, position: number): Promise<boolean> {
	const length = 1000;
	return (await process?.ask('part', url, position, length)) === base64At(position, length);
}

function base64At(position: number, length: number): string {
	return generated(position, position + length).toString('base64');
}

/** Where the ranges begin that were asked for, in ascending order. */
function startsAsked(origin: Origin): number[] {
	const starts = origin.requests.map(({headers}) => /^bytes=(\d+)-/.exec(headers.range ?? '')?.[1]);
	return starts
		.filter(start => start !== undefined)
		.map(Number)
		.sort((one, other) => one - other);
}

test.serial(
	'the end of a download that stalls comes to a reader in another process, by one request of who downloads',
	async t => {
		const {origin, cache, url, processes} = await setUp(t, {...FILM, sequence: [STALLED]}, 1);
		const [follower] = processes;
		const version = await cache.open(url);
		await follow(follower, url);
		const before = origin.requests.length;
		t.true(await isRight(follower, url, SIZE - 1000));
		t.true(await isRight(follower, url, SIZE - 3000));
		t.true(await isRight(follower, url, 0));
		t.is(origin.requests.length, before + 1);
		t.regex(origin.requests.at(-1)?.headers.range ?? '', new RegExp(`-${SIZE - 1}$`));
		t.is((await follower?.ask('stats'))?.downloads_running, 0);
		version.close();
	},
);

test.serial('readers in two other processes have two places fetched for them, and each has both', async t => {
	const {origin, cache, url, processes} = await setUp(t, {...FILM, sequence: [STALLED]}, 2);
	const version = await cache.open(url);
	await Promise.all(processes.map(one => follow(one, url)));
	const before = origin.requests.length;
	const places = [6 * MIB, SIZE - 1000];
	t.deepEqual(await Promise.all(processes.map((one, index) => isRight(one, url, places[index] ?? 0))), [true, true]);
	t.deepEqual(await Promise.all(processes.map((one, index) => isRight(one, url, places[1 - index] ?? 0))), [
		true,
		true,
	]);
	t.is(origin.requests.length, before + 2);
	const [first = 0, second = 0] = startsAsked(origin);
	t.true(first <= 6 * MIB && first > 5 * MIB && second <= SIZE - 1000 && second > 11 * MIB, `${first}, ${second}`);
	version.close();
});

test.serial('more places than are fetched at once come one after another', async t => {
	const {origin, cache, url, processes} = await setUp(t, {...FILM, sequence: [STALLED]}, 1);
	const [follower] = processes;
	const version = await cache.open(url);
	await follow(follower, url);
	const before = origin.requests.length;
	const places = [4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5].map(mib => mib * MIB);
	const read = await Promise.all(places.map(position => isRight(follower, url, position)));
	t.deepEqual(
		read,
		places.map(() => true),
	);
	t.is(origin.requests.length, before + places.length);
	version.close();
});

test.serial('when the process is killed that was told, who told it goes on, and nothing of it is left', async t => {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const hung = {...FILM, hang: true} as const;
	const url = origin.serve('/film', {...FILM, sequence: [{...FILM, stallAt: 10_000}, hung]});
	const [owner, follower] = await Promise.all([fork(t, directory, 0), fork(t, directory, 1)]);
	await owner.ask('open', url);
	await follow(follower, url);
	const reading = isRight(follower, url, SIZE - 1000);
	await origin.received('/film', 2);
	await owner.kill();
	t.true(await reading);
	await follower.ask('leave', url);
	await follower.close();
	await until('what the killed one left is swept', async () => {
		await (await fork(t, directory, 2)).close();
		return leftovers(directory).length === 0;
	});
});

test.serial('a download goes on for a reader in another process alone, and pauses once that one is killed', async t => {
	const {cache, url, processes} = await setUp(t, {...LONG, rate: MIB}, 1);
	await goesOnFor(t, cache, url, processes[0]);
	await processes[0]?.kill();
	await until('it pauses', () => stateOf(cache) === 'paused', 10_000);
	t.pass();
});

test.serial(
	'a download goes on for a reader in another process alone, and pauses once that one has closed it',
	async t => {
		const {cache, url, processes} = await setUp(t, {...LONG, rate: MIB}, 1);
		await goesOnFor(t, cache, url, processes[0]);
		await processes[0]?.ask('leave', url);
		await until('it pauses', () => stateOf(cache) === 'paused', 10_000);
		const again = await cache.open(url);
		await again.read(Buffer.alloc(1000), 8 * MIB);
		t.is(stateOf(cache), 'downloading');
		again.close();
		await until('it pauses again', () => stateOf(cache) === 'paused');
	},
);

/** Asserts that a download which this process does not read any more goes on while another one has it open. */
async function goesOnFor(
	t: ExecutionContext,
	cache: UrlCache,
	url: string,
	follower: ForkedCache | undefined,
): Promise<void> {
	const version = await cache.open(url);
	await follow(follower, url);
	version.close();
	const leftAt = performance.now();
	const states = new Set<string | undefined>();
	await until(
		'one that had fallen silent would be given up',
		() => {
			states.add(stateOf(cache));
			return performance.now() - leftAt > 5000;
		},
		8000,
	);
	t.deepEqual([...states], ['downloading']);
	t.true(await isRight(follower, url, 90 * MIB));
	t.true(await isRight(follower, url, 2 * MIB));
}

function stateOf(cache: UrlCache): string | undefined {
	return cache.downloads()[0]?.state;
}
