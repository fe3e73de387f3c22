import {readdir, readFile} from 'node:fs/promises';
import path from 'node:path';
import {RangeSet, type Range} from '../../src/base/range-set.js';

const RECORD_BYTES = 16;

/**
 * What the partials of a key say that they have, read from their range logs as
 * they lie on the disk; undefined where there is none.
 */
export async function arrivedOf(cacheDir: string, key: string): Promise<RangeSet | undefined> {
	const files = await Promise.all(
		['downloads', 'partials'].map(folder => logsIn(path.join(cacheDir, '.larder', folder))),
	);
	const own = files.flat().filter(file => path.basename(file).startsWith(key));
	if (own.length === 0) return undefined;
	const logs = await Promise.all(own.map(async file => recordsOf(await readFile(file))));
	return new RangeSet(logs.flat());
}

async function logsIn(folder: string): Promise<string[]> {
	const names = await readdir(folder).catch(() => []);
	return names.filter(name => name.endsWith('.ranges')).map(name => path.join(folder, name));
}

/** Pairs of 64-bit numbers, little endian, after a line of JSON if there is one. What a crash left of a record is none. */
function recordsOf(log: Buffer): Range[] {
	const header = log.toString('latin1', 0, 2) === '{"' ? log.indexOf('\n') + 1 : 0;
	const records = log.subarray(header);
	return Array.from({length: Math.floor(records.length / RECORD_BYTES)}, (_, index) => {
		const at = index * RECORD_BYTES;
		return {start: Number(records.readBigUInt64LE(at)), end: Number(records.readBigUInt64LE(at + 8))};
	});
}
