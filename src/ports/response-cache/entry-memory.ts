import {lstatSync, type Stats} from 'node:fs';
import {SYSTEM_CLOCK} from '../../base/clock.js';
import {LRUCache} from '../../base/lru-cache.js';
import {isTouchDue, openEntry, type StoredEntry} from './stored-entry.js';

/** Of entries of a few bytes no more than this, whatever the limit: what JavaScript has of a head takes some KiB. */
const MAX_ENTRIES = 1000;
/** A file system tells moments apart that lie so far from each other, in ms; one that knows whole seconds alone does by 2 s. */
const SOON_MS = 20;
const SOON_IN_SECONDS_MS = 2000;

/**
 * Small responses that were read lately. Each is compared with its file before it is used, so that what another process
 * has put in its place, or removed, is never served.
 */
export class EntryMemory {
	readonly #entries: LRUCache<string, StoredEntry> | undefined;

	/**
	 * @param maxBytes - of all files that are kept; 0 for none.
	 * @throws RangeError for what is no limit.
	 */
	constructor(maxBytes: number) {
		if (!(maxBytes >= 0)) throw new RangeError(`maxMemoryBytes is ${maxBytes}, not a number of 0 or more`);
		const maxSize = Math.min(Math.floor(maxBytes), Number.MAX_SAFE_INTEGER);
		// The map takes 0 for no limit.
		if (maxSize === 0) return;
		this.#entries = new LRUCache({max: MAX_ENTRIES, maxSize, sizeCalculation: ({fileBytes}) => fileBytes});
	}

	/** As `openEntry`. The body is not to be changed: who asks next has the same. */
	open(file: string, key: string, nowMs: number): StoredEntry | undefined {
		const known = this.#entries?.get(key);
		if (known !== undefined) {
			const stats = look(file);
			if (stats !== undefined && isOf(known, stats) && !isTouchDue(stats, nowMs)) return known;
			this.#entries?.delete(key);
		}

		const atMs = SYSTEM_CLOCK.now();
		const entry = openEntry(file, key, nowMs);
		if (entry !== undefined && mayKeep(entry, atMs)) this.#entries?.set(key, entry);
		return entry;
	}
}

function look(file: string): Stats | undefined {
	try {
		return lstatSync(file, {throwIfNoEntry: false});
	} catch {
		return undefined;
	}
}

/** No file is changed in its place by us, and who else does it changes these. */
function isOf({inode, changedMs, fileBytes}: StoredEntry, {ino, ctimeMs, size}: Stats): boolean {
	return inode === ino && changedMs === ctimeMs && fileBytes === size;
}

/** The next file of this name may have the same inode; it must not have been changed at the same moment as well. */
function mayKeep({head, body, changedMs}: StoredEntry, atMs: number): boolean {
	// Of other values it is the bytes themselves that are given away.
	if (head.kind !== 'response' || !(body instanceof Uint8Array)) return false;
	return atMs - changedMs > (Number.isInteger(changedMs / 1000) ? SOON_IN_SECONDS_MS : SOON_MS);
}
