import {endianness} from 'node:os';
import {ProtocolError} from './protocol-error.js';

/** The protocol is of one machine: its byte order is that machine's. */
const LITTLE = endianness() === 'LE';
const [LOW, HIGH] = LITTLE ? [0, 4] : [4, 0];
const WORD = 2 ** 32;

/** A number by its width and sign; or so many bytes that mean nothing. */
export type FieldType = 'u16' | 'u32' | 'i32' | 'u64' | number;
export type Fields = Readonly<Record<string, FieldType>>;

/** A struct at its place in memory: each field is read when it is asked for, and written when it is set. */
export type Place<F extends Fields> = {-readonly [Name in keyof F as F[Name] extends number ? never : Name]: number};

export interface Struct<F extends Fields = Fields> {
	/** As in `linux/fuse.h`. */
	readonly name: string;
	readonly sizeBytes: number;
	/** Where each field begins. */
	readonly offsets: Readonly<Record<keyof F, number>>;
	/** The struct at byte `at` of `memory`. @throws ProtocolError `truncated` where it would go beyond it. */
	at(memory: DataView, at: number): Place<F>;
}

/**
 * A struct of C from the table of its fields, each at the next multiple of its
 * width as compilers have it. The accessors are made here, once, with constant
 * offsets: decoding interprets no table, and reads only what is asked for.
 *
 * `u64` is a number: one over 2^53 is refused where it is read (`out-of-range`),
 * so that a file offset is never a neighbour of the one that was meant.
 */
export function struct<const F extends Fields>(name: string, fields: F): Struct<F> {
	// Assigned, not defined as fields: that takes 0.04 microseconds in the place of 0.25, as this constructor is that of forty classes.
	class StructAt implements Memory {
		declare readonly memory: DataView;
		declare readonly at: number;

		constructor(memory: DataView, at: number) {
			this.memory = memory;
			this.at = at;
		}
	}

	const offsets: Record<string, number> = {};
	let end = 0;
	for (const [field, type] of Object.entries(fields)) {
		const width = typeof type === 'number' ? type : WIDTHS[type];
		const offset = typeof type === 'number' ? end : Math.ceil(end / width) * width;
		if (typeof type !== 'number') Object.defineProperty(StructAt.prototype, field, ACCESSORS[type](offset));
		offsets[field] = offset;
		end = offset + width;
	}

	const sizeBytes = end;
	return {
		...{name, sizeBytes, offsets: offsets as Record<keyof F, number>},
		at(memory, at) {
			if (at + sizeBytes > memory.byteLength) throw new ProtocolError('truncated', `${name} is cut off`);
			return new StructAt(memory, at) as unknown as Place<F>;
		},
	};
}

interface Memory {
	readonly memory: DataView;
	readonly at: number;
}

type NumberType = Exclude<FieldType, number>;

const WIDTHS: Readonly<Record<NumberType, number>> = {u16: 2, u32: 4, i32: 4, u64: 8};

/** One function for each type, so that each is compiled for that type alone. */
const ACCESSORS: Readonly<Record<NumberType, (offset: number) => PropertyDescriptor & ThisType<Memory>>> = {
	u16: offset => ({
		get() {
			return this.memory.getUint16(this.at + offset, LITTLE);
		},
		set(value: number) {
			this.memory.setUint16(this.at + offset, value, LITTLE);
		},
	}),
	u32: offset => ({
		get() {
			return this.memory.getUint32(this.at + offset, LITTLE);
		},
		set(value: number) {
			this.memory.setUint32(this.at + offset, value, LITTLE);
		},
	}),
	i32: offset => ({
		get() {
			return this.memory.getInt32(this.at + offset, LITTLE);
		},
		set(value: number) {
			this.memory.setInt32(this.at + offset, value, LITTLE);
		},
	}),
	u64: offset => ({
		get() {
			const high = this.memory.getUint32(this.at + offset + HIGH, LITTLE);
			const value = high * WORD + this.memory.getUint32(this.at + offset + LOW, LITTLE);
			if (value > Number.MAX_SAFE_INTEGER) throw new ProtocolError('out-of-range', `${value} is too large a number`);
			return value;
		},
		set(value: number) {
			// setUint32 takes what is over 32 bits off by itself.
			this.memory.setUint32(this.at + offset + LOW, value, LITTLE);
			this.memory.setUint32(this.at + offset + HIGH, value < WORD ? 0 : value / WORD, LITTLE);
		},
	}),
};
