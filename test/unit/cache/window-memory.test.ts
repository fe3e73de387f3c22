import test from 'ava';
import {WindowMemory, type Occupant} from '../../../src/cache/window-memory.js';

const KIB = 1024;

/** Tells what becomes of it. */
class Room implements Occupant {
	isInUse = false;
	isSpent = false;
	state: 'waiting' | 'held' | 'dropped' = 'waiting';

	constructor(readonly sizeBytes: number) {}

	buffer: Uint8Array | undefined;

	begin(used: Uint8Array | undefined): void {
		this.state = 'held';
		this.buffer = used;
	}

	drop(): Uint8Array | undefined {
		this.state = 'dropped';
		return this.buffer;
	}
}

/** As many of 16 KiB as told, which take the memory in this order. */
function rooms(memory: WindowMemory, count: number): Room[] {
	const made = Array.from({length: count}, () => new Room(16 * KIB));
	for (const room of made) memory.take(room);
	return made;
}

const statesOf = (made: readonly Room[]) => made.map(({state}) => state);

test('what is too little for a window, or no size, is a RangeError', t => {
	for (const size of [64 * KIB - 1, -1, NaN, 70_000.5, Infinity]) {
		t.throws(() => new WindowMemory(size), {instanceOf: RangeError}, String(size));
	}

	const memory = new WindowMemory(64 * KIB);
	t.throws(() => memory.take(new Room(16 * KIB + 1)), {instanceOf: RangeError});
});

test('the least recently used goes first', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 4);
	memory.onLeft(made[0] as Room, 100);
	t.is(memory.heldBytes, 64 * KIB);
	const [next] = rooms(memory, 1);
	t.deepEqual(statesOf(made), ['held', 'dropped', 'held', 'held']);
	t.is(next?.state, 'held');
	t.is(memory.heldBytes, 64 * KIB);
});

test('somebody who left without a byte does not make it used', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 4);
	memory.onLeft(made[0] as Room, 0);
	rooms(memory, 1);
	t.is(made[0]?.state, 'dropped');
});

test('what has been read to its end goes before what has not', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 4);
	for (const index of [2, 3]) {
		const room = made[index] as Room;
		room.isSpent = true;
		memory.onLeft(room, 100);
	}

	rooms(memory, 1);
	t.deepEqual(statesOf(made), ['held', 'held', 'dropped', 'held']);
});

test('what somebody waits in stays: who needs memory waits, and the first to come is the first to get', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 4);
	for (const room of made) room.isInUse = true;
	const large = new Room(16 * KIB);
	const small = new Room(1);
	for (const room of [large, small]) {
		room.isInUse = true;
		memory.take(room);
	}

	t.deepEqual(statesOf([...made, large, small]), ['held', 'held', 'held', 'held', 'waiting', 'waiting']);

	const left = made[1] as Room;
	left.isInUse = false;
	memory.onLeft(left, 0);
	t.deepEqual(statesOf([...made, large, small]), ['held', 'dropped', 'held', 'held', 'held', 'waiting']);
	memory.release(made[0] as Room);
	t.is(small.state, 'held');
	t.is(memory.heldBytes, 48 * KIB + 1);
});

test('who no longer waits for memory gets none, and holds up nobody', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 4);
	for (const room of made) room.isInUse = true;
	const [first, second] = rooms(memory, 2) as [Room, Room];
	memory.release(first);
	memory.release(first);
	memory.release(made[3] as Room);
	t.deepEqual(statesOf([first, second]), ['waiting', 'held']);
	t.is(memory.heldBytes, 64 * KIB);
});

test('nobody is dropped in vain', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 3);
	for (const room of made.slice(0, 2)) room.isInUse = true;
	const small = new Room(1);
	memory.take(small);
	for (const room of [small, ...rooms(memory, 1)]) room.isInUse = true;
	const [large] = rooms(memory, 1);
	t.deepEqual(statesOf([...made, small]), ['held', 'held', 'dropped', 'held']);
	t.is(large?.state, 'waiting');
	for (const room of made.slice(0, 1)) room.isInUse = false;
	memory.onLeft(made[0] as Room, 1);
	t.is(large?.state, 'held');
});

test('to spare is what is free and what has been read, and nothing while somebody waits', t => {
	const memory = new WindowMemory(64 * KIB);
	t.is(memory.spareBytes, 64 * KIB);
	const made = rooms(memory, 3);
	t.is(memory.spareBytes, 16 * KIB);
	const [first, second] = made as [Room, Room, Room];
	first.isSpent = second.isSpent = true;
	t.is(memory.spareBytes, 48 * KIB);
	second.isInUse = true;
	t.is(memory.spareBytes, 32 * KIB);

	for (const room of [...made, ...rooms(memory, 1)]) room.isInUse = true;
	rooms(memory, 1);
	first.isInUse = false;
	t.is(memory.spareBytes, 0);
});

test('what was left alone while as much was read elsewhere as there is memory is to spare', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 4);
	const reader = made[3] as Room;
	memory.onLeft(reader, 64 * KIB - 1);
	t.is(memory.spareBytes, 0);
	memory.onLeft(made[0] as Room, 1);
	t.is(memory.spareBytes, 32 * KIB);
});

test('who is dropped may ask for more at once, and what is held is never more than there is', t => {
	const memory = new WindowMemory(64 * KIB);
	const later = new Room(16 * KIB);
	const [first] = rooms(memory, 4) as [Room];
	first.drop = () => {
		first.state = 'dropped';
		memory.take(later);
		t.is(memory.heldBytes, 64 * KIB);
		return undefined;
	};

	const [next] = rooms(memory, 1);
	t.deepEqual(statesOf([first, later, next as Room]), ['dropped', 'held', 'held']);
	t.is(memory.heldBytes, 64 * KIB);
});

test('a buffer goes from who is dropped to who needs one of its size', t => {
	const memory = new WindowMemory(64 * KIB);
	const made = rooms(memory, 4);
	for (const room of made) room.buffer = new Uint8Array(room.sizeBytes);
	const [next] = rooms(memory, 1);
	t.is(next?.buffer, made[0]?.buffer);
	const smaller = new Room(KIB);
	memory.take(smaller);
	t.deepEqual([smaller.state, smaller.buffer], ['held', undefined]);
});
