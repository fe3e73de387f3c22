/** The directories of a `FanoutCache`. */
import {existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {DIRECTORY_MODE, FILE_MODE, uniqueSuffix} from '../../base/atomic-file.js';
import {systemCode} from '../../base/errors.js';

const DEFAULT_SHARDS = 8;
const SHARDS_FILE = 'shards';

/** One directory, within the one it is in, whatever the name; no two names have the same. @throws RangeError */
export function directoryName(name: string): string {
	if (name === '' || name === '.' || name === '..') throw new RangeError(`'${name}' is no name`);
	return encodeURIComponent(name);
}

/** What the directory was made with; the first who says it makes it. */
export function countShards(directory: string, wanted: number | undefined): number {
	if (wanted !== undefined && !(Number.isSafeInteger(wanted) && wanted > 0)) throw new RangeError(`${wanted} shards`);
	mkdirSync(directory, {recursive: true, mode: DIRECTORY_MODE});
	const file = path.join(directory, SHARDS_FILE);
	if (!existsSync(file)) publishOnce(file, String(wanted ?? DEFAULT_SHARDS));
	const count = Number(readFileSync(file, 'latin1'));
	if (wanted === undefined || wanted === count) return count;
	throw new RangeError(`${directory} has ${count} shards, not ${wanted}: keys would not be found`);
}

/** Whole, and only if nobody else was first. */
function publishOnce(file: string, text: string): void {
	const temporary = `${file}.${uniqueSuffix()}`;
	writeFileSync(temporary, text, {mode: FILE_MODE});
	try {
		linkSync(temporary, file);
	} catch (error) {
		if (systemCode(error) !== 'EEXIST') throw error;
	} finally {
		rmSync(temporary);
	}
}
