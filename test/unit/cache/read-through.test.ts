/** A body that is read from its origin again and again, in little memory: over real range requests. */
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {CacheError, hasCode} from '../../../src/base/errors.js';
import {NO_LOG} from '../../../src/base/log.js';
import {ReadThrough, type ReadThroughContext} from '../../../src/cache/read-through.js';
import {VersionChangedError} from '../../../src/cache/source.js';
import {WindowMemory} from '../../../src/cache/window-memory.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient} from '../../../src/http/client.js';
import {generatedBody, Origin, type Behaviour} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE = 6 * MIB + 4321;
const BYTES = generatedBody(SIZE);
const GOOD: Behaviour = {body: BYTES, etag: '"v1"', ranges: true};

interface Bench {
	readonly origin: Origin;
	/** One over what is served at `/x`, with whatever is said differently; closed at the end. */
	readonly over: (behaviour: Behaviour, options?: Partial<ReadThroughContext>) => ReadThrough;
	/** How it fetches, unless said differently. */
	readonly fetch: ReadThroughContext['fetch'];
	/** What `/x` was asked for: `start-last`. */
	readonly asked: () => string[];
}

const withBench = test.macro(async (t: ExecutionContext, run: (t: ExecutionContext, bench: Bench) => Promise<void>) => {
	const origin = await Origin.start();
	const client = new HttpClient({...DEFAULT_HTTP_OPTIONS, retries: 0}, NO_LOG);
	const opened: ReadThrough[] = [];
	const fetch: Bench['fetch'] = (range, signal) => client.getRange(origin.url('/x'), range, {etag: '"v1"'}, {signal});
	const over: Bench['over'] = (behaviour, options = {}) => {
		origin.serve('/x', behaviour);
		const through = new ReadThrough({lengthBytes: SIZE, fetch, memory: new WindowMemory(32 * MIB), ...options});
		opened.push(through);
		return through;
	};
	const asked = () => origin.requestsOf('/x').map(({headers}) => (headers.range ?? '').replace('bytes=', ''));
	try {
		await run(t, {origin, over, fetch, asked});
	} finally {
		for (const one of opened) one.close(new Error('the test is over'));
		// Nothing that was fetched has been left lying.
		client.close();
		await origin.disconnected();
		await origin.close();
	}
});

const ends = (start: number, end: number) => `${start}-${end - 1}`;

/** Whether `[position, position + length)` of the body is what is read there, and nothing else is touched. */
async function isRight(through: ReadThrough, position: number, length: number, body = BYTES): Promise<boolean> {
	const buffer = Buffer.alloc(length + 1, '?');
	const count = await through.read(buffer.subarray(0, length), position);
	const expected = body.subarray(Math.min(position, body.length), position + length);
	return count === expected.length && buffer.subarray(0, count).equals(expected) && buffer.at(count) === 63;
}

test(
	'the first read of a place fetches 512 KiB from where its 128 KiB begin, and what is there is not fetched again',
	withBench,
	async (t, {over, asked}) => {
		const through = over(GOOD);
		t.true(await isRight(through, MIB + 300 * KIB, 1000));
		t.deepEqual(asked(), [ends(MIB + 256 * KIB, MIB + 768 * KIB)]);
		for (const position of [MIB + 256 * KIB, MIB + 400 * KIB]) t.true(await isRight(through, position, 100 * KIB));
		t.is(asked().length, 1);
		t.true(await isRight(through, MIB + 200 * KIB, 100 * KIB));
		t.deepEqual(asked()[1], ends(MIB + 128 * KIB, MIB + 256 * KIB));
		await until('all has come', () => through.receivedBytes === 640 * KIB);
	},
);

test('readers of one place share what is fetched, in whatever order they ask', withBench, async (t, {over, asked}) => {
	const through = over({...GOOD, delayMs: 20});
	const positions = [0, 384, 128, 256, 128].map(kib => kib * KIB);
	const right = await Promise.all(positions.map(position => isRight(through, position, 128 * KIB)));
	t.deepEqual(new Set(right), new Set([true]));
	t.is(asked()[0], ends(0, 512 * KIB));
	await until('all has come', () => through.receivedBytes === (512 + 1024) * KIB);
	t.deepEqual(asked(), [ends(0, 512 * KIB), ends(512 * KIB, 1536 * KIB)]);
});

test('a reader gets its bytes while the rest of the window is still to come', withBench, async (t, {over, asked}) => {
	const through = over({...GOOD, stallAt: 128 * KIB});
	t.true(await isRight(through, 0, 100 * KIB));
	t.true(await isRight(through, 100 * KIB, 28 * KIB));
	t.is(asked().length, 1);
});

test('who reads on gets twice as much each time, asked for when half is read', withBench, async (t, {over, asked}) => {
	const through = over(GOOD);
	t.true(await isRight(through, 0, 256 * KIB - 1));
	t.deepEqual(asked(), [ends(0, 512 * KIB)]);
	t.true(await isRight(through, 256 * KIB - 1, 1));
	await until('the next is asked for', () => asked().length === 2);
	for (let position = 256 * KIB; position < SIZE; position += 128 * KIB) {
		t.true(await isRight(through, position, 128 * KIB));
	}

	t.deepEqual(asked(), [
		ends(0, 512 * KIB),
		ends(512 * KIB, 1536 * KIB),
		ends(1536 * KIB, 3584 * KIB),
		ends(3584 * KIB, SIZE),
	]);
	t.is(through.receivedBytes, SIZE);
});

test(
	'the next window is asked for while the second half of a large read is still to come',
	withBench,
	async (t, bench) => {
		const through = bench.over({...GOOD, sequence: [{...GOOD, stallAt: 300 * KIB}]});
		const reading = through.read(Buffer.alloc(512 * KIB), 0);
		await bench.origin.received('/x', 2);
		t.deepEqual(bench.asked(), [ends(0, 512 * KIB), ends(512 * KIB, 1536 * KIB)]);
		through.close(new Error('closed'));
		await t.throwsAsync(reading, {message: 'closed'});
	},
);

test('a piece that is asked for before the one in front of it begins no place', withBench, async (t, {over, asked}) => {
	const through = over(GOOD);
	t.true(await isRight(through, 0, 200 * KIB));
	const right = await Promise.all([640, 512].map(kib => isRight(through, kib * KIB, 128 * KIB)));
	t.deepEqual(right, [true, true]);
	t.deepEqual(asked(), [ends(0, 512 * KIB), ends(512 * KIB, 1536 * KIB)]);
});

test('at the end of the body reads and windows end', withBench, async (t, {over, asked}) => {
	const through = over(GOOD);
	t.true(await isRight(through, SIZE - 1000, 5000));
	for (const position of [SIZE, SIZE + 1]) t.true(await isRight(through, position, 10));
	t.true(await isRight(through, 0, 0));
	t.deepEqual(asked(), [ends(SIZE - (SIZE % (128 * KIB)), SIZE)]);
});

test(
	'a source that sends less than was asked for is asked for the rest',
	withBench,
	async (t, {over, fetch, asked}) => {
		const through = over(GOOD, {
			fetch: ({start, end}, signal) => fetch({start, end: Math.min(end, start + 200 * KIB)}, signal),
		});
		t.true(await isRight(through, 0, 250 * KIB));
		await until('the window is whole', () => through.receivedBytes === 512 * KIB);
		t.deepEqual(asked(), [ends(0, 200 * KIB), ends(200 * KIB, 400 * KIB), ends(400 * KIB, 512 * KIB)]);
	},
);

test('the smallest memory does for reads of any place and size', withBench, async (t, {over}) => {
	const through = over({...GOOD, rate: 50 * MIB}, {memory: new WindowMemory(64 * KIB)});
	for (const position of [0, 16 * KIB - 1, 5 * MIB, SIZE - 10]) t.true(await isRight(through, position, 40 * KIB));
});

test('a connection that breaks changes no byte', withBench, async (t, {over, asked}) => {
	const cut = {...GOOD, cutAt: 200_000};
	const through = over({...GOOD, sequence: [cut, cut]});
	t.true(await isRight(through, 0, 512 * KIB));
	t.true(asked().includes(ends(0, 512 * KIB)) && asked().length >= 3);
});

test('a transfer is continued where it broke, as often as some bytes come', withBench, async (t, bench) => {
	const through = bench.over(GOOD, {
		fetch: async (range, signal) => {
			const answer = await bench.fetch(range, signal);
			return {...answer, body: firstOf(answer.body)};
		},
	});
	t.true(await isRight(through, 0, 250 * KIB));
	await until('the window is whole', () => through.receivedBytes === 512 * KIB);
	const starts = bench.asked().map(range => Number(range.split('-')[0]));
	t.true(starts.length > 5);
	t.true(
		starts.every((start, index) => start > (starts[index - 1] ?? -1)),
		String(starts),
	);
});

/** A chunk, and no more. */
async function* firstOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
	for await (const chunk of body) {
		yield chunk;
		throw new Error('the connection broke');
	}
}

test('three failures in a row fail who waits, and who comes later starts anew', withBench, async (t, {over, asked}) => {
	const broken = {...GOOD, cutAt: 0};
	const through = over({...GOOD, sequence: [broken, {...GOOD, status: 500}, broken]});
	const waits = [0, 100].map(position => through.read(Buffer.alloc(10), position));
	for (const wait of waits) await t.throwsAsync(wait, {instanceOf: CacheError, code: 'origin-failed'});
	t.is(asked().length, 3);
	t.true(await isRight(through, 0, 100));
	t.is(asked().length, 4);
});

const FINAL: [what: string, behaviour: Behaviour, expectation: object][] = [
	['is not there any more', {status: 404}, {code: 'not-found'}],
	['is refused', {status: 403}, {code: 'origin-refused'}],
	['has another version', {...GOOD, etag: '"v2"'}, {instanceOf: VersionChangedError}],
	['comes without ranges', {body: BYTES, etag: '"v1"'}, {name: 'CacheError', message: /range request/}],
];

for (const [what, behaviour, expectation] of FINAL) {
	test(`a body that ${what} is not asked for again`, withBench, async (t, {over, asked}) => {
		const through = over(behaviour);
		await t.throwsAsync(through.read(Buffer.alloc(10), MIB), {instanceOf: CacheError, ...expectation});
		t.is(asked().length, 1);
	});
}

test('a signal ends one wait, with its reason, and nothing else', withBench, async (t, {origin, over, asked}) => {
	const through = over({...GOOD, delayMs: 100});
	const controller = new AbortController();
	const [leaving, staying] = [through.read(Buffer.alloc(10), 0, controller.signal), isRight(through, 0, 10)];
	await origin.received('/x');
	controller.abort(new Error('left'));
	await t.throwsAsync(leaving, {message: 'left'});
	t.true(await staying);
	await t.throwsAsync(through.read(Buffer.alloc(10), 0, controller.signal), {message: 'left'});
	t.is(asked().length, 1);
	await until('what was asked for comes', () => through.receivedBytes === 512 * KIB);
});

test('closing ends every transfer, and fails who waits and who reads later', withBench, async (t, bench) => {
	const memory = new WindowMemory(MIB);
	let fetches = 0;
	const fetch: Bench['fetch'] = (range, signal) => {
		fetches++;
		return bench.fetch(range, signal);
	};
	const through = bench.over({...GOOD, stallAt: 1000}, {memory, fetch});
	const waits = [0, 1, 2, 3, 4, 5].map(at => through.read(Buffer.alloc(2000), at * MIB));
	// Four fit into the memory, the others wait for some.
	await bench.origin.received('/x', 4);
	through.close(new Error('closed'));
	through.close(new Error('closed once more'));
	for (const wait of waits) await t.throwsAsync(wait, {message: 'closed'});
	await t.throwsAsync(through.read(Buffer.alloc(10), 0), {message: 'closed'});
	await bench.origin.disconnected();
	t.is(memory.heldBytes, 0);
	t.is(fetches, 4);
});

test('a source that sends nothing is told of the end in both ways', withBench, async (t, {over}) => {
	const told: string[] = [];
	const nothing = new Promise<Uint8Array>(() => undefined);
	const body = {
		async *[Symbol.asyncIterator]() {
			yield await nothing;
		},
	};
	const through = over(GOOD, {
		fetch: (range, signal) => {
			signal.addEventListener('abort', () => told.push((signal.reason as Error).message));
			const discard = () => void told.push('discard');
			return Promise.resolve({range, lengthBytes: SIZE, acceptsRanges: true, body, discard});
		},
	});
	const waiting = through.read(Buffer.alloc(10), 0);
	await new Promise(setImmediate);
	through.close(new Error('closed'));
	await t.throwsAsync(waiting, {message: 'closed'});
	t.deepEqual(told, ['closed', 'discard']);
});

test('an answer that comes after the end is given up', withBench, async (t, {over}) => {
	let isDiscarded = false;
	let answer: (body: Awaited<ReturnType<ReadThroughContext['fetch']>>) => void = () => undefined;
	const answered = new Promise<Awaited<ReturnType<ReadThroughContext['fetch']>>>(resolve => (answer = resolve));
	const through = over(GOOD, {fetch: () => answered});
	const waiting = through.read(Buffer.alloc(10), 0);
	through.close(new Error('closed'));
	await t.throwsAsync(waiting, {message: 'closed'});
	const body = {
		async *[Symbol.asyncIterator]() {
			yield await Promise.reject<Uint8Array>(new Error('it must not be read'));
		},
	};
	const discard = () => void (isDiscarded = true);
	answer({range: {start: 0, end: 512 * KIB}, lengthBytes: SIZE, acceptsRanges: true, body, discard});
	await until('it is given up', () => isDiscarded);
});

test('each chunk is told of before it is kept, and held up for as long as told', withBench, async (t, {over}) => {
	let [isHeldUp, letGo] = [false, () => undefined as void];
	const held = new Promise<void>(resolve => (letGo = resolve));
	let toldBytes = 0;
	const through = over(GOOD, {
		onChunk: chunk => {
			toldBytes += chunk.byteLength;
			isHeldUp = true;
			return held;
		},
	});
	let isRead = false;
	const reading = isRight(through, 0, 1000).finally(() => (isRead = true));
	await until('a chunk came', () => isHeldUp);
	t.false(isRead);
	t.is(toldBytes, through.receivedBytes);
	letGo();
	t.true(await reading);
	await until('all has come', () => toldBytes === 512 * KIB);
});

test(
	'32 MiB in order take few requests, no byte twice, and never more memory than there is',
	withBench,
	async (t, bench) => {
		const lengthBytes = 32 * MIB;
		const body = generatedBody(lengthBytes);
		const memory = new WindowMemory(16 * MIB);
		let mostBytes = 0;
		const through = bench.over(
			{size: lengthBytes, etag: '"v1"', ranges: true},
			{lengthBytes, memory, onChunk: () => void (mostBytes = Math.max(mostBytes, memory.heldBytes))},
		);
		let wrong = 0;
		for (let position = 0; position < lengthBytes; position += 128 * KIB) {
			if (!(await isRight(through, position, 128 * KIB, body))) wrong++;
		}

		t.is(wrong, 0);
		t.is(bench.asked().length, 11); // 0.5, 1, 2 and then 4 MiB each
		t.is(through.receivedBytes, lengthBytes);
		t.true(mostBytes > 8 * MIB && mostBytes <= 16 * MIB, `${mostBytes}`);
		t.is(bench.origin.requestsOf('/x').at(-1)?.status, 206);
	},
);

test('one read that is larger than the memory is brought through it', withBench, async (t, {over, asked}) => {
	const memory = new WindowMemory(256 * KIB);
	const through = over(GOOD, {memory});
	t.true(await isRight(through, 1000, SIZE - 2000));
	t.true(memory.heldBytes <= 256 * KIB);
	t.is(new Set(asked()).size, asked().length);
	t.is(through.receivedBytes, SIZE);
});

/** Four windows that somebody waits in: all of 2 MiB. */
async function fill(memory: WindowMemory, {origin, over}: Bench): Promise<{leave: () => Promise<unknown>}> {
	const stalled = over({...GOOD, stallAt: 1000}, {memory});
	const leaving = new AbortController();
	const waits = [0, 1, 2, 3].map(at => stalled.read(Buffer.alloc(2000), at * MIB, leaving.signal));
	const left = Promise.allSettled(waits);
	await origin.received('/x', 4);
	const leave = () => {
		leaving.abort(new Error('left'));
		return left;
	};
	return {leave};
}

test('who finds all memory waited in waits, until somebody leaves', withBench, async (t, bench) => {
	const memory = new WindowMemory(2 * MIB);
	const {leave} = await fill(memory, bench);
	let isRead = false;
	const reading = isRight(bench.over(GOOD, {memory}), 0, 100 * KIB).finally(() => (isRead = true));
	await new Promise(setImmediate);
	t.false(isRead);
	t.is(bench.asked().length, 4);
	await leave();
	t.true(await reading);
	t.deepEqual(bench.asked().slice(4), [ends(0, 512 * KIB)]);
	t.true(memory.heldBytes <= 2 * MIB);
});

test('nothing is fetched for who left before there was memory', withBench, async (t, bench) => {
	const memory = new WindowMemory(2 * MIB);
	const {leave} = await fill(memory, bench);
	const through = bench.over(GOOD, {memory});
	const impatient = new AbortController();
	const left = through.read(Buffer.alloc(10), 5 * MIB, impatient.signal);
	impatient.abort(new Error('impatient'));
	await t.throwsAsync(left, {message: 'impatient'});
	await leave();
	t.true(await isRight(through, 0, 100 * KIB));
	t.deepEqual(bench.asked().slice(4), [ends(0, 512 * KIB)]);
});

test('where memory is short windows do not grow over those that are still to be read', withBench, async (t, bench) => {
	const memory = new WindowMemory(4 * MIB);
	const [some, inOrder] = [bench.over(GOOD, {memory}), bench.over(GOOD, {memory})];
	const places = [0, 1, 2, 3, 4, 5, 6].map(at => at * 768 * KIB);
	for (const place of places) t.true(await isRight(some, place, 1000));
	for (let position = 0; position < 3 * MIB; position += 128 * KIB) {
		t.true(await isRight(inOrder, position, 128 * KIB));
	}

	const before = bench.asked().length;
	for (const place of places) t.true(await isRight(some, place + 1000, 1000));
	t.is(bench.asked().length, before);
});

test('two that share a small memory both come to their end', withBench, async (t, {over}) => {
	const memory = new WindowMemory(MIB);
	const both = [over(GOOD, {memory}), over(GOOD, {memory})];
	const readAll = async (through: ReadThrough) => {
		let wrong = 0;
		for (let position = 0; position < SIZE; position += 100_000) {
			if (!(await isRight(through, position, 100_000))) wrong++;
		}

		return wrong;
	};
	t.deepEqual(await Promise.all(both.flatMap(one => [readAll(one), readAll(one)])), [0, 0, 0, 0]);
	t.true(memory.heldBytes <= MIB);
});

test('a slow reader keeps what was fetched for it beside a fast one', withBench, async (t, {over}) => {
	const memory = new WindowMemory(4 * MIB);
	const [slow, fast] = [over(GOOD, {memory}), over(GOOD, {memory})];
	// Not to 2 MiB: from there on one more window is on its way, of which more or less has come.
	for (let position = 0, fastAt = 0; position < 2 * MIB - 128 * KIB; position += 128 * KIB) {
		t.true(await isRight(slow, position, 128 * KIB));
		for (let count = 0; count < 3; count++, fastAt = (fastAt + 128 * KIB) % (6 * MIB)) {
			t.true(await isRight(fast, fastAt, 128 * KIB));
		}
	}

	// What was read and a window ahead.
	t.true(slow.receivedBytes <= 2.5 * MIB, `${slow.receivedBytes}`);
});

const read = fc.record({position: fc.integer({min: 0, max: SIZE + 10}), length: fc.integer({min: 1, max: 900_000})});
const reader = fc.record({
	through: fc.nat({max: 1}),
	reads: fc.array(read, {minLength: 1, maxLength: 8}),
	how: fc.constantFrom('one after another', 'at once', 'on from the first'),
	leaves: fc.boolean(),
});
type Reader = typeof reader extends fc.Arbitrary<infer T> ? T : never;
/** What one request meets; the origin behaves for all that come after the last. */
const meeting = fc.record({
	cutAt: fc.option(fc.integer({min: 1, max: MIB}), {freq: 2}),
	delayMs: fc.constantFrom(0, 0, 3, 15),
});

/** Reads as told, anew where connections broke too often, and throws where bytes are not those of the body. */
async function readAll(through: ReadThrough, {reads, how, leaves}: Reader, cuts: number): Promise<void> {
	const readAt = async (position: number, length: number) => {
		for (let failures = 0; ; failures++) {
			try {
				if (await isRight(through, position, length)) return;
			} catch (error) {
				// What came right before a cut may be lost with it: then it is a failure without a byte.
				if (!isCut(error) || failures > cuts) throw error;
				continue;
			}

			throw new Error(`[${position}, ${position + length}) is wrong`);
		}
	};
	const [{position: first, length} = {position: 0, length: 1}] = reads;
	const left = leaves ? readAndLeave(through, first, length) : undefined;
	if (how === 'at once') await Promise.all(reads.map(each => readAt(each.position, each.length)));
	let position = first;
	for (const each of how === 'at once' ? [] : reads) {
		await readAt(how === 'one after another' ? each.position : position, each.length);
		position += each.length;
	}

	await left;
}

async function readAndLeave(through: ReadThrough, position: number, length: number): Promise<void> {
	const leaving = new AbortController();
	setImmediate(() => leaving.abort(new Error('left')));
	await through.read(Buffer.alloc(length), position, leaving.signal).catch((error: unknown) => {
		if (error !== leaving.signal.reason && !isCut(error)) throw error;
	});
}

const isCut = (error: unknown) => hasCode(error, 'origin-failed') || hasCode(error, 'origin-unreachable');

test('whoever reads where, over whatever cuts, gets the bytes of the body', withBench, async (t, {over}) => {
	t.log(`SEED=${SEED}`);
	const property = fc.asyncProperty(
		fc.constantFrom(64 * KIB, 300 * KIB, 2 * MIB, 2 * MIB, 8 * MIB),
		fc.array(meeting, {maxLength: 12}),
		fc.array(reader, {minLength: 1, maxLength: 6}),
		async (totalBytes, meetings, readers) => {
			const memory = new WindowMemory(totalBytes);
			let mostBytes = 0;
			const onChunk = () => void (mostBytes = Math.max(mostBytes, memory.heldBytes));
			const sequence = meetings.map(({cutAt, delayMs}) => ({...GOOD, delayMs, ...(cutAt !== null && {cutAt})}));
			const throughs = [0, 1].map(() => over({...GOOD, sequence}, {memory, onChunk}));
			const reading = readers.map(one => readAll(throughs[one.through] as ReadThrough, one, meetings.length));
			const outcomes = await Promise.allSettled(reading);
			for (const one of throughs) one.close(new Error('closed'));
			for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
			if (mostBytes > totalBytes || memory.heldBytes > 0)
				throw new Error(`${mostBytes}, then ${memory.heldBytes} bytes`);
		},
	);
	await fc.assert(property, {seed: SEED, numRuns: 25, includeErrorInReport: true});
	t.pass();
});
