import {isUtf8} from 'node:buffer';
import {OPCODES, opcodeName, type Opcode, type OpcodeName} from './opcodes.js';
import {ProtocolError} from './protocol-error.js';
import type {Fields, Place, Struct} from './struct.js';
import {FORGET_ONE, IN_HEADER, INIT_IN_EXT} from './structs.js';

/** Bytes somewhere in memory, by the two ways to look at them. */
export interface Region {
	/** All of the memory. */
	readonly view: DataView;
	/** The same memory. */
	readonly bytes: Buffer;
	/** Where in it the region begins. */
	readonly at: number;
	readonly length: number;
}

export interface Header {
	readonly opcode: number;
	/** Names the request, for its reply and for INTERRUPT. */
	readonly unique: number;
	readonly nodeid: number;
	/** The thread that asks; 0 where there is none. */
	readonly pid: number;
}

type ArgsOf<O> = O extends {readonly in: Struct<infer F extends Fields>} ? Place<F> : undefined;
type NamesOf<O> = O extends {readonly tail: 'name'}
	? readonly [string]
	: O extends {readonly tail: 'two names'}
		? readonly [string, string]
		: readonly [];

/** What the kernel asks. It reads the bytes that it was decoded from, so they stay as they are. */
export interface Request<N extends OpcodeName = OpcodeName> extends Header {
	readonly name: N;
	readonly args: ArgsOf<(typeof OPCODES)[N]>;
	readonly names: NamesOf<(typeof OPCODES)[N]>;
	/** What follows the struct, where that is bytes (WRITE) or more than this knows of. */
	readonly data: Region;
}

/** @throws ProtocolError where there is no telling what is asked. */
export function decodeHeader({view, at, length}: Region): Header {
	if (length < IN_HEADER.sizeBytes) throw new ProtocolError('truncated', `a request of ${length} bytes has no header`);
	const {len, opcode, unique, nodeid, pid} = IN_HEADER.at(view, at);
	if (len !== length) throw new ProtocolError('inconsistent', `a request of ${length} bytes says it has ${len}`);
	return {opcode, unique, nodeid, pid};
}

/**
 * The rest of a request, of which the header is known.
 *
 * @returns undefined for an opcode that is newer than ours.
 * @throws ProtocolError for one that is not as its line in `OPCODES` has it.
 */
export function decodeBody(header: Header, {view, bytes, at, length}: Region): Request | undefined {
	const name = opcodeName(header.opcode);
	if (name === undefined) return undefined;
	const {in: layout, tail}: Opcode = OPCODES[name];
	// Extensions come last, and nothing that is asked for brings any.
	const end = at + length - IN_HEADER.at(view, at).total_extlen * 8;
	const body = at + IN_HEADER.sizeBytes;
	const rest = body + (layout?.sizeBytes ?? 0);
	if (rest > end) throw new ProtocolError('truncated', `${name} of ${length} bytes is cut off`);
	const args = layout?.at(view, body);
	const data = {view, bytes, at: rest, length: end - rest};
	const names = namesOf(name, tail, data);
	if (tail === 'bytes') checkBytes(name, (args as unknown as {size: number}).size, data);
	// Field by field: a spread would make the shape of each request anew, at 2 microseconds.
	const {opcode, unique, nodeid, pid} = header;
	return {opcode, unique, nodeid, pid, name, args, names, data} as unknown as Request;
}

/** What a BATCH_FORGET is about. */
export function* forgotten({args, data}: Request<'BATCH_FORGET'>): Iterable<{nodeid: number; nlookup: number}> {
	if (args.count * FORGET_ONE.sizeBytes !== data.length) {
		throw new ProtocolError('inconsistent', `${data.length} bytes are not ${args.count} nodes to forget`);
	}

	for (let i = 0; i < args.count; i++) yield FORGET_ONE.at(data.view, data.at + i * FORGET_ONE.sizeBytes);
}

/** The second half of the flags of an INIT; 0 from a kernel that has none. */
export function secondFlags({data}: Request<'INIT'>): number {
	return data.length < INIT_IN_EXT.sizeBytes ? 0 : INIT_IN_EXT.at(data.view, data.at).flags2;
}

function namesOf(name: OpcodeName, tail: Opcode['tail'], {bytes, at, length}: Region): readonly string[] {
	const end = at + length;
	switch (tail) {
		case 'more':
		case 'bytes':
			return NO_NAMES;
		case 'nothing':
			if (length > 0) throw new ProtocolError('oversized', `${name} has ${length} bytes too many`);
			return NO_NAMES;
		case 'name':
			return [text(name, bytes, at, lastEnd(name, bytes, at, end))];
		case 'two names': {
			const first = bytes.indexOf(0, at);
			if (first === -1 || first >= end) throw new ProtocolError('inconsistent', `a name of ${name} has no end`);
			const second = text(name, bytes, first + 1, lastEnd(name, bytes, first + 1, end));
			return [text(name, bytes, at, first), second];
		}
	}
}

const NO_NAMES: readonly string[] = [];

/** Where the last name ends: its NUL is the last byte, and the only one. */
function lastEnd(name: string, bytes: Buffer, from: number, end: number): number {
	const nul = bytes.indexOf(0, from);
	if (from < end && nul === end - 1) return nul;
	const isLonger = nul !== -1 && nul < end - 1;
	throw new ProtocolError(isLonger ? 'oversized' : 'inconsistent', `the name of ${name} does not end where it should`);
}

function text(name: string, bytes: Buffer, from: number, to: number): string {
	if (from === to) throw new ProtocolError('inconsistent', `a name of ${name} is empty`);
	const decoded = bytes.toString('utf8', from, to);
	// What is no UTF-8 becomes U+FFFD, and two names would be one.
	if (decoded.includes('\ufffd') && !isUtf8(bytes.subarray(from, to))) {
		throw new ProtocolError('not-text', `a name of ${name} is no UTF-8`);
	}

	return decoded;
}

function checkBytes(name: string, said: number, {length}: Region): void {
	if (said > length) throw new ProtocolError('truncated', `${name} says ${said} bytes and has ${length}`);
	if (said < length) throw new ProtocolError('oversized', `${name} says ${said} bytes and has ${length}`);
}
