/**
 * A program that uses a drive at random: `node churn.js DIRECTORY SEED COUNT URLS`,
 * where the path of each URL is the size of its `generated` body. Prints what was
 * not as it should be, a line each: bytes that are no version of the file, and
 * errors that nothing explains.
 */
import {
	closeSync,
	fstatSync,
	openSync,
	readdirSync,
	readFileSync,
	readSync,
	statSync,
	unlinkSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {generatedBody} from './origin.js';

const [, , directory = '', seed = '', count = '', ...urls] = process.argv;

/** What another process may cause: it removed the file, or has it in use. */
const EXPECTED: ReadonlySet<string> = new Set(['ENOENT', 'EBUSY', 'ESTALE']);

let state = Number(seed);
function random(below: number): number {
	state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
	return Math.floor((state / 2 ** 32) * below);
}

/** Bytes put by hand: their own length, and one letter. */
function made(length: number): string {
	return length.toString().padStart(8, '0') + 'abcdefgh'.charAt(random(8)).repeat(length - 8);
}

/** Whether `bytes` is all of what the origin has, or all of one put. */
function isVersion(bytes: Buffer, url: string): boolean {
	if (bytes.equals(generatedBody(sizeOf(url)))) return true;
	const letter = bytes.at(-1);
	return Number(bytes.toString('latin1', 0, 8)) === bytes.length && bytes.subarray(8).every(byte => byte === letter);
}

function sizeOf(url: string): number {
	return Number(new URL(url).pathname.slice(1));
}

/** Reads piece by piece, so that others come in between. */
function readSlowly(file: string): Buffer {
	const fd = openSync(file, 'r');
	try {
		const {size} = fstatSync(fd);
		const bytes = Buffer.alloc(size);
		for (let at = 0; at < size;) {
			const read = readSync(fd, bytes, at, Math.min(20_000, size - at), at);
			if (read === 0) return bytes.subarray(0, at);
			at += read;
		}

		return bytes;
	} finally {
		closeSync(fd);
	}
}

/** Where the first and the last bytes come from, for whoever looks for the fault. */
function describe(bytes: Buffer): string {
	return JSON.stringify([bytes.toString('latin1', 0, 10), bytes.toString('latin1', bytes.length - 2)]);
}

function complain(line: string): void {
	process.stdout.write(`${line}\n`);
}

const OPERATIONS: ReadonlyArray<(file: string, url: string) => Buffer | undefined> = [
	file => readFileSync(file),
	file => readFileSync(file),
	readSlowly,
	readSlowly,
	file => void unlinkSync(file),
	file => void writeFileSync(file, made(8 + random(300_000))),
	file => void statSync(file),
	() => void readdirSync(directory),
];

for (let index = 0; index < Number(count); index++) {
	const url = urls[random(urls.length)] ?? '';
	const which = random(OPERATIONS.length);
	try {
		const bytes = OPERATIONS[which]?.(path.join(directory, encodeURIComponent(url)), url);
		if (bytes !== undefined && !isVersion(bytes, url))
			complain(
				`${index}: operation ${which} read ${bytes.length} bytes that are no version of ${url}: ${describe(bytes)}`,
			);
	} catch (error) {
		const {code = ''} = error as NodeJS.ErrnoException;
		if (!EXPECTED.has(code)) complain(`${index}: operation ${which} on ${url} ended with ${code || String(error)}`);
	}
}
