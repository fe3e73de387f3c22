/** Whether a store in which many have been at work is as it must be once all have left. */
import {readdirSync, readFileSync, statSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {keyOf, type UrlCache} from '../../src/library/open.js';
import {verifyDirectory} from '../../src/library/verify.js';
import {allocatedOnDisk, entryFiles, leftovers, TestClock} from './cache.js';
import {versionOf} from './checked-body.js';
import {openSizedCache} from './sized-cache.js';
import {until} from './until.js';

/** What the entries come to, under the names of `CacheStats`. */
export interface DiskTotals {
	readonly entries: number;
	readonly total_bytes: number;
	readonly allocated_bytes: number;
}

/** The totals of the entries on the disk, by the rules of the format alone. */
export function totalsOnDisk(directory: string): DiskTotals {
	const found = entriesOnDisk(directory);
	return {
		entries: found.length,
		total_bytes: found.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0),
		allocated_bytes: found.reduce((sum, {allocatedBytes}) => sum + allocatedBytes, 0),
	};
}

interface FoundEntry {
	readonly url: string;
	readonly sizeBytes: number;
	readonly allocatedBytes: number;
}

/** The entries on the disk, by the rules of the format alone, in the order of their keys; they may be going while it is asked. */
function entriesOnDisk(directory: string): FoundEntry[] {
	return entryFiles(directory)
		.filter(name => name.endsWith('.json'))
		.flatMap(name => entryOf(`${directory}/`, path.parse(name).name) ?? []);
}

/** The entry whose files are named `prefix` and `key`; undefined where that is none. */
function entryOf(prefix: string, key: string): FoundEntry | undefined {
	const base = prefix + key;
	try {
		const [sidecar, data] = [statSync(`${base}.json`), statSync(`${base}.dat`)];
		const {url, size} = JSON.parse(readFileSync(`${base}.json`, 'utf8')) as {url: string; size: number};
		if (keyOf(url) !== key || data.size !== size) return undefined;
		return {url, sizeBytes: size, allocatedBytes: (sidecar.blocks + data.blocks) * 512};
	} catch {
		return undefined;
	}
}

/**
 * Asserts, of a store that nobody has open and that holds bodies of
 * `checkedBody`: who opens it a minute later finds each entry whole and its
 * totals those of the disk, within the budget, and nothing is left over.
 *
 * @param use - called with the open cache after that.
 */
export async function assertSound(
	t: ExecutionContext,
	directory: string,
	limitBytes: number,
	use: (cache: UrlCache) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
	const clock = new TestClock();
	clock.advance(61_000); // what looks damaged is judged when it is a minute old
	const before = entriesOnDisk(directory);
	const cache = openSizedCache(directory, limitBytes, clock);
	try {
		await cache.load();
		for (const {url} of before) t.not(await storedVersion(cache, url), undefined, `${url} is served`);
		await settled(() => entryFiles(directory).length === 2 * before.length);
		t.deepEqual(entriesOnDisk(directory), before);
		t.is(entryFiles(directory).length, 2 * before.length);
		t.deepEqual(leftovers(directory), []);
		assertOnlyDamageInQuarantine(t, directory);

		const expected = {...totalsOnDisk(directory), used_bytes: allocatedOnDisk(directory)};
		const counted = () => pick(cache);
		await settled(() => JSON.stringify(counted()) === JSON.stringify(expected));
		t.deepEqual(counted(), expected);
		t.true(expected.used_bytes <= limitBytes);
		await use(cache);
	} finally {
		await cache.close();
	}

	t.deepEqual(leftovers(directory), []);
	for await (const finding of verifyDirectory(directory, {read: true})) t.fail(JSON.stringify(finding));
}

/** The version that is stored under a URL, read to its end; undefined where there is none. */
export async function storedVersion(cache: UrlCache, url: string): Promise<string | undefined> {
	const version = await cache.openStored(keyOf(url));
	if (version === undefined) return undefined;
	try {
		const bytes = Buffer.alloc(version.sizeBytes);
		await version.read(bytes, 0);
		return versionOf(bytes, url);
	} finally {
		version.close();
	}
}

/** No entry was moved away whole. */
function assertOnlyDamageInQuarantine(t: ExecutionContext, directory: string): void {
	const folder = path.join(directory, '.larder', 'quarantine');
	for (const name of readdirSync(folder).filter(one => one.endsWith('.json'))) {
		// `1790000000000.<key>.json`: both files of an entry are moved at one time.
		const [time = '', key = ''] = name.split('.');
		t.is(entryOf(`${path.join(folder, time)}.`, key), undefined, `${name} was moved away although it was whole`);
	}
}

function pick(cache: UrlCache): DiskTotals & {used_bytes: number} {
	const {entries, total_bytes, allocated_bytes, used_bytes} = cache.stats();
	return {entries, total_bytes, allocated_bytes, used_bytes};
}

/** Gives a condition time to become true; whoever asserts it afterwards says more of why it did not. */
async function settled(condition: () => boolean): Promise<void> {
	await until('it has settled', condition).catch(() => undefined);
}
