import test from 'ava';
import fc from 'fast-check';
import {OPCODES, type OpcodeName} from '../../../../../src/transport/kernel/protocol/opcodes.js';
import {ProtocolError} from '../../../../../src/transport/kernel/protocol/protocol-error.js';
import {
	decodeBody,
	decodeHeader,
	forgotten,
	secondFlags,
	type Region,
	type Request,
} from '../../../../../src/transport/kernel/protocol/request.js';
import {IN_HEADER} from '../../../../../src/transport/kernel/protocol/structs.js';
import {CAPTURED, KERNEL} from '../../../../helpers/captured-requests.js';

type Captured = keyof typeof CAPTURED;
const NAMES = Object.keys(CAPTURED) as Captured[];

/** In the middle of other memory: what is before and after it is not its own. */
function regionOf(bytes: Uint8Array): Region {
	const memory = Buffer.alloc(bytes.byteLength + 128, 0x2f);
	memory.set(bytes, 64);
	return {bytes: memory, view: new DataView(memory.buffer, memory.byteOffset), at: 64, length: bytes.byteLength};
}

function decode(bytes: Uint8Array): Request | undefined {
	const region = regionOf(bytes);
	return decodeBody(decodeHeader(region), region);
}

function captured<N extends Captured & OpcodeName>(name: N): Request<N> {
	return decode(Buffer.from(CAPTURED[name], 'hex')) as Request<N>;
}

/** As long as it says, whatever else is wrong with it. */
function withLength(bytes: Uint8Array): Uint8Array {
	const copy = Buffer.from(bytes);
	if (copy.byteLength >= 4) copy.writeUInt32LE(copy.byteLength, 0);
	return copy;
}

/** Reads all that a request has. @returns whether it was refused, with the one error there is for it. */
function isRefused(bytes: Uint8Array): boolean {
	try {
		const request = decode(bytes);
		for (const field of Object.keys(request === undefined ? {} : (OPCODES[request.name].in?.offsets ?? {}))) {
			void (request?.args as unknown as Record<string, number>)[field];
		}

		if (request?.name === 'BATCH_FORGET')
			for (const {nodeid} of forgotten(request as Request<'BATCH_FORGET'>)) void nodeid;
		if (request?.name === 'INIT') void secondFlags(request as Request<'INIT'>);
		return false;
	} catch (error) {
		if (error instanceof ProtocolError) return true;
		throw error;
	}
}

test(`each request that Linux ${KERNEL} sends is decoded by its line in the table`, t => {
	for (const name of NAMES) t.is(decode(Buffer.from(CAPTURED[name], 'hex'))?.name, name);
});

test('the fields of a request are where the kernel put them', t => {
	t.deepEqual(captured('LOOKUP').names, ['file']);
	t.deepEqual(captured('RENAME').names, ['file', 'new6']);
	t.is(captured('RENAME').args.newdir, 1);
	t.deepEqual(captured('SYMLINK').names, ['new4', 'file']);
	const {args, data} = captured('WRITE');
	t.like(args, {fh: 5, offset: 0, size: 5});
	t.is(data.bytes.toString('utf8', data.at, data.at + data.length), 'hello');
	t.like(captured('SETATTR').args, {size: 3, fh: 5});
	t.like(captured('READ').args, {fh: 5, offset: 0, size: 4096});
	t.is(captured('CREATE').args.mode, 0o100644);
	t.like(captured('INIT').args, {major: 7, minor: 45, max_readahead: 131_072});
	t.true(secondFlags(captured('INIT')) > 0);
	t.is(captured('ACCESS').nodeid, 1);
	t.true(captured('ACCESS').pid > 0);
	t.is(captured('RELEASE').pid, 0);
	const batch = captured('BATCH_FORGET');
	t.deepEqual(
		[...forgotten(batch)].map(({nodeid}) => nodeid).filter(nodeid => nodeid < 2),
		[],
	);
	t.is([...forgotten(batch)].length, batch.args.count);
	// The kernel marks an INTERRUPT by the lowest bit of what it is about.
	t.is(captured('INTERRUPT').args.unique, captured('INTERRUPT').unique - 1);
});

test('a request that is cut off anywhere is refused', t => {
	for (const name of NAMES) {
		const whole = Buffer.from(CAPTURED[name], 'hex');
		// What comes after the struct is not ours to know, where it is `more`.
		const {in: layout, tail} = OPCODES[name];
		const known =
			tail === 'more' && name !== 'BATCH_FORGET' ? IN_HEADER.sizeBytes + (layout?.sizeBytes ?? 0) : whole.length;
		for (let length = 0; length < known; length++) {
			t.true(isRefused(whole.subarray(0, length)), `${name}, ${length} bytes`);
			t.true(isRefused(withLength(whole.subarray(0, length))), `${name}, ${length} bytes that it says it has`);
		}
	}
});

test('a request that goes on after its end is refused', t => {
	for (const name of NAMES) {
		const longer = withLength(Buffer.concat([Buffer.from(CAPTURED[name], 'hex'), Buffer.alloc(8)]));
		if (OPCODES[name].tail !== 'more') t.true(isRefused(longer), name);
	}
});

test('extensions at the end of a request are no part of it', t => {
	const whole = Buffer.concat([Buffer.from(CAPTURED.LOOKUP, 'hex'), Buffer.alloc(16, 1)]);
	whole.writeUInt32LE(whole.byteLength, 0);
	whole.writeUInt16LE(2, IN_HEADER.offsets.total_extlen);
	t.deepEqual(decode(whole)?.names, ['file']);
	whole.writeUInt16LE(20, IN_HEADER.offsets.total_extlen);
	t.throws(() => decode(whole), {instanceOf: ProtocolError, message: /cut off/});
});

test('a number over 2^53 is refused where it is read, and harms no one who does not read it', t => {
	const whole = Buffer.from(CAPTURED.READ, 'hex');
	whole.writeBigUInt64LE(1n << 53n, IN_HEADER.sizeBytes + 8);
	const {args} = decode(whole) as Request<'READ'>;
	t.is(args.size, 4096);
	t.throws(() => args.offset, {instanceOf: ProtocolError, message: /too large/});
});

test('a name that is no UTF-8 is refused, and one that has U+FFFD in it is not', t => {
	const named = (name: Buffer) =>
		decode(withLength(Buffer.concat([Buffer.from(CAPTURED.LOOKUP, 'hex').subarray(0, 40), name, Buffer.of(0)])));
	t.throws(() => named(Buffer.of(0x61, 0xff)), {instanceOf: ProtocolError, message: /no UTF-8/});
	t.deepEqual(named(Buffer.from('a\ufffdü'))?.names, ['a\ufffdü']);
});

test('an opcode that is newer than the table is nothing, and no error', t => {
	const whole = Buffer.from(CAPTURED.LOOKUP, 'hex');
	whole.writeUInt32LE(999, 4);
	t.is(decode(whole), undefined);
});

test('whatever bytes come, they are a request or refused, and nothing beyond them is read', t => {
	const bytes = fc.oneof(
		fc.uint8Array({maxLength: 200}),
		fc.uint8Array({maxLength: 200}).map(withLength),
		// A real one, with some bytes changed and its length right, or not.
		fc
			.tuple(
				fc.constantFrom(...NAMES),
				fc.array(fc.tuple(fc.nat(300), fc.nat(255)), {maxLength: 6}),
				fc.nat(320),
				fc.boolean(),
			)
			.map(([name, changes, length, isHonest]) => {
				const changed = Buffer.from(CAPTURED[name], 'hex');
				for (const [at, byte] of changes) changed[at % changed.length] = byte;
				const cut = Buffer.concat([changed, Buffer.alloc(40, 0x41)]).subarray(0, length);
				return isHonest ? withLength(cut) : cut;
			}),
	);
	const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
	t.log(`SEED=${seed}`);
	fc.assert(
		fc.property(bytes, given => {
			if (isRefused(given)) return;
			const request = decode(given);
			if (request === undefined) return;
			if (request.data.at + request.data.length > 64 + given.byteLength) throw new Error('it reads beyond its end');
		}),
		{seed, numRuns: 20_000},
	);
	t.pass();
});
