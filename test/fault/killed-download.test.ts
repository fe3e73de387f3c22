/** Downloads that are killed in the middle: what had come is not fetched again, and all bytes are right in the end. */
import test, {type ExecutionContext} from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as delay} from 'node:timers/promises';
import {median} from '../bench/measure.js';
import {arrivedOf} from '../helpers/arrived.js';
import {MIB} from '../helpers/cache.js';
import {crash} from '../helpers/crash.js';
import {filesOf, sha256} from '../helpers/drive.js';
import {ForkedOrigin} from '../helpers/forked-origin.js';
import {Mount} from '../helpers/mount.js';
import {generatedBody} from '../helpers/origin.js';
import {randomFrom} from '../helpers/random.js';
import {run} from '../helpers/run.js';

const READER = path.resolve(import.meta.dirname, '../helpers/reading-process.js');
const KILLS = Number(process.env['LARDER_KILLS'] ?? 12);
/** Each so many-th is of a drive, the others of the library. */
const EVERY_DRIVE = 3;
const SIZE = 24 * MIB + 12_345;
const SHA256 = sha256(generatedBody(SIZE));
const RATE = 60_000_000;
/** What may come a second time. */
const TWICE_BYTES = MIB;
/** What half of those who are killed may have taken and told nobody of: where the machine is busy, sockets are full. */
const ON_THE_WAY_BYTES = 8 * MIB;
const SEND_BUFFER_BYTES = 64 * 1024;
const ROUND_DEADLINE_MS = 60_000;

interface Round {
	readonly url: string;
	/** The order of reading; 0 is from the first byte to the last. */
	readonly seed: number;
	readonly killAfterMs: number;
	readonly base: string;
}

/** What a run of a round does: it reads until it is told that it is enough, or to the end, and resolves with the output. */
interface Runner {
	killed(t: ExecutionContext, round: Round): Promise<void>;
	whole(t: ExecutionContext, round: Round): Promise<string>;
}

/** Starts a reader, waits for its first bytes and the moment of the round, and lets `kill` end it. */
async function readUntilKilled(args: readonly string[], round: Round, kill: () => unknown): Promise<void> {
	const reader = spawn(process.execPath, [READER, `${round.seed}`, ...args], {stdio: ['ignore', 'pipe', 'ignore']});
	const exited = once(reader, 'exit');
	const lines = createInterface({input: reader.stdout});
	try {
		await Promise.race([once(lines, 'line'), exited]);
		await delay(round.killAfterMs);
		await kill();
	} finally {
		reader.kill('SIGKILL');
		await exited;
	}
}

function readWhole(args: readonly string[]): Promise<string> {
	return run(process.execPath, [READER, '0', ...args], {deadlineMs: ROUND_DEADLINE_MS}).then(
		({stdout, stderr}) => stdout + stderr,
	);
}

const cacheOf = ({base}: Round) => path.join(base, 'cache');
const placesOf = (round: Round) => ({cacheDir: cacheOf(round), directory: path.join(round.base, 'mnt')});

const library: Runner = {
	killed: (_t, round) => readUntilKilled([round.url, cacheOf(round)], round, () => undefined),
	whole: (_t, round) => readWhole([round.url, cacheOf(round)]),
};

const drive: Runner = {
	async killed(t, round) {
		const mount = await Mount.start(t, placesOf(round));
		await readUntilKilled([mount.path(round.url)], round, () => crash(mount));
	},
	async whole(t, round) {
		const mount = await Mount.start(t, placesOf(round));
		const output = await readWhole([mount.path(round.url)]);
		await mount.stop();
		return output;
	},
};

const RUNNERS = {drive, library};

/** What was sent, to whom is gone by now. */
async function sentFor(origin: ForkedOrigin, round: Round): Promise<number> {
	await origin.disconnected();
	return (await origin.counts(new URL(round.url).pathname)).bytesSent;
}

/** By the partial's log; all where it is an entry already, and undefined where it is about to become one. */
async function arrivedBytes(round: Round): Promise<number | undefined> {
	const isStored = existsSync(filesOf(cacheOf(round), round.url).sidecar);
	return isStored ? SIZE : (await arrivedOf(cacheOf(round), sha256(round.url)))?.size;
}

/** Bytes: what had come, and what was sent before the kill and after it. */
interface Outcome {
	readonly arrived: number | undefined;
	readonly first: number;
	readonly second: number;
	readonly output: string;
}

async function killAndReadOn(
	t: ExecutionContext,
	origin: ForkedOrigin,
	runner: Runner,
	round: Round,
): Promise<Outcome> {
	await runner.killed(t, round);
	const arrived = await arrivedBytes(round);
	const first = await sentFor(origin, round);
	const output = await runner.whole(t, round);
	const second = (await sentFor(origin, round)) - first;
	return {arrived, first, second, output};
}

/** What was sent and is told of nowhere: in sockets, and in the memory of who was killed. */
function onTheWay({arrived, first}: Pick<Outcome, 'arrived' | 'first'>): number {
	return Math.max(0, first - (arrived ?? first));
}

/** What is not as it should be. */
function* faultsOf({arrived, first, second, output}: Outcome): Generator<string> {
	if (output !== `begun\nread ${SHA256}\n`) yield `wrong bytes: ${output}`;
	if (second > SIZE - (arrived ?? 0) + TWICE_BYTES) yield 'what had come was fetched again';
	if (first + second > SIZE + TWICE_BYTES + onTheWay({arrived, first})) yield 'too much was sent';
}

function isCutShort({arrived = 0}: Outcome): boolean {
	return arrived > 0 && arrived < SIZE;
}

function describe({seed, killAfterMs}: Round, {arrived, first, second}: Outcome): string {
	const order = seed === 0 ? 'in order' : `at random (${seed})`;
	const come = `${arrived ?? 'an unknown part'} of ${SIZE} had come`;
	return `${order}, killed after ${killAfterMs.toFixed()} ms: ${come}, ${first} sent before and ${second} after`;
}

function roundAt(random: () => number, index: number, origin: ForkedOrigin, base: string): Round {
	return {
		base,
		url: origin.url(`/${index}`),
		seed: random() < 0.5 ? 0 : 1 + Math.floor(random() * 1_000_000),
		// The whole takes longer than this, whatever the machine does meanwhile.
		killAfterMs: random() * (SIZE / RATE) * 1000,
	};
}

test(`after kill -9 at ${KILLS} random moments of a download, what had come is not fetched again and all bytes are right`, async t => {
	t.timeout(60_000 + KILLS * 40_000);
	const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));
	t.log(`SEED=${seed}`);
	const random = randomFrom(seed);
	const origin = await ForkedOrigin.start(t, {rate: RATE, sendBufferBytes: SEND_BUFFER_BYTES});
	const wrong: string[] = [];
	const outcomes: Outcome[] = [];
	for (let index = 0; index < KILLS; index++) {
		await origin.serve(`/${index}`, {size: SIZE, ranges: true, etag: '"one"'});
		const base = await mkdtemp(path.join(tmpdir(), 'larder-killed-'));
		t.teardown(() => rm(base, {recursive: true, force: true}));
		const round = roundAt(random, index, origin, base);
		await mkdir(placesOf(round).directory);
		const kind = index % EVERY_DRIVE === 0 ? 'drive' : 'library';
		const outcome = await killAndReadOn(t, origin, RUNNERS[kind], round);
		const said = `${kind}, ${describe(round, outcome)}`;
		t.log(said);
		wrong.push(...[...faultsOf(outcome)].map(fault => `${fault}: ${said}`));
		outcomes.push(outcome);
		await rm(base, {recursive: true, force: true});
	}

	t.deepEqual(wrong, []);
	t.true(median(outcomes.map(onTheWay)) <= ON_THE_WAY_BYTES);
	const cutShort = outcomes.filter(isCutShort).length;
	t.true(cutShort >= KILLS / 3, `only ${cutShort} of ${KILLS} were in the middle`);
});
