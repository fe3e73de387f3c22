/**
 * A program that reads all of a file, or of a URL through a cache:
 * `node reading-process.js SEED FILE`, `node reading-process.js SEED URL DIRECTORY`.
 * From the first byte to the last with the seed 0, else in pieces at random
 * places. It says `begun` with the first bytes and `read` with their sha256 in the end.
 */
import {createHash} from 'node:crypto';
import {open} from 'node:fs/promises';
import {randomFrom, shuffled} from './random.js';
import {openSizedCache} from './sized-cache.js';

const PIECE_BYTES = 256 * 1024;
const LIMIT_BYTES = 256 * 1024 * 1024;

/** What is read, of a known size. */
interface Whole {
	readonly sizeBytes: number;
	read(buffer: Uint8Array, position: number): Promise<number>;
	close(): Promise<void>;
}

const [seed = '', name = '', directory] = process.argv.slice(2);
const whole = await (directory === undefined ? openFile(name) : openUrl(directory, name));
const bytes = Buffer.alloc(whole.sizeBytes);
for (const [index, position] of places(Number(seed), whole.sizeBytes).entries()) {
	await readPiece(position);
	if (index === 0) process.stdout.write('begun\n');
}

await whole.close();
process.stdout.write(`read ${createHash('sha256').update(bytes).digest('hex')}\n`);

function places(seed: number, sizeBytes: number): number[] {
	const inOrder = Array.from({length: Math.ceil(sizeBytes / PIECE_BYTES)}, (_, index) => index * PIECE_BYTES);
	return seed === 0 ? inOrder : shuffled(inOrder, randomFrom(seed));
}

async function readPiece(position: number): Promise<void> {
	const end = Math.min(bytes.length, position + PIECE_BYTES);
	for (let at = position; at < end;) {
		const count = await whole.read(bytes.subarray(at, end), at);
		if (count === 0) throw new Error(`${name} ends at ${at}, before ${bytes.length}`);
		at += count;
	}
}

async function openFile(file: string): Promise<Whole> {
	const handle = await open(file, 'r');
	return {
		sizeBytes: (await handle.stat()).size,
		read: async (buffer, position) => (await handle.read(buffer, 0, buffer.byteLength, position)).bytesRead,
		close: () => handle.close(),
	};
}

/** Closed once it is stored. */
async function openUrl(directory: string, url: string): Promise<Whole> {
	const cache = openSizedCache(directory, LIMIT_BYTES);
	await cache.load();
	const version = await cache.open(url);
	return {
		sizeBytes: version.sizeBytes,
		read: (buffer, position) => version.read(buffer, position),
		async close() {
			await version.whole();
			version.close();
			await cache.close();
		},
	};
}
