import {Readable} from 'node:stream';

/** Bytes, a text, or what is a stream already, as a stream of bytes. @throws TypeError for a value that is none of these. */
export function streamOf(value: unknown, key: unknown): Readable {
	if (typeof value === 'string' || value instanceof Uint8Array) return Readable.from([Buffer.from(value)]);
	if (value instanceof Readable) return value;
	throw new TypeError(`${String(key)} is neither bytes nor a text`);
}
