import {generatedPart} from './origin-content.js';

/** What is read from. */
interface Read {
	readonly sizeBytes: number;
	read(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number>;
}

const PIECE_BYTES = 1024 * 1024;

/** Whether a read brings what an origin generates there, as far as the body goes. */
export async function isRight(version: Read, position: number, length: number, signal?: AbortSignal): Promise<boolean> {
	const buffer = Buffer.alloc(length);
	const count = await version.read(buffer, position, signal);
	const end = Math.max(position, Math.min(position + length, version.sizeBytes));
	return buffer.subarray(0, count).equals(generatedPart(position, end));
}

/** The same of all of it, read in order. */
export async function isWhollyRight(version: Read, signal?: AbortSignal): Promise<boolean> {
	for (let position = 0; position < version.sizeBytes; position += PIECE_BYTES) {
		if (!(await isRight(version, position, PIECE_BYTES, signal))) return false;
	}

	return true;
}
