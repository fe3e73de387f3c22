import type {Catalogue, Totals} from './catalogue.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';

interface Row {
	readonly entry: Entry;
	accessedAtMs: number;
}

/**
 * A catalogue in memory, least recently used first: a Map keeps the order of
 * insertion, so moving a row to the end is deleting and setting it.
 */
export class MemoryCatalogue implements Catalogue {
	#rows = new Map<Key, Row>();
	#sizeBytes = 0;
	#allocatedBytes = 0;

	get totals(): Totals {
		return {entries: this.#rows.size, sizeBytes: this.#sizeBytes, allocatedBytes: this.#allocatedBytes};
	}

	get(key: Key): Entry | undefined {
		return this.#rows.get(key)?.entry;
	}

	accessedAtMs(key: Key): number {
		return this.#rows.get(key)?.accessedAtMs ?? 0;
	}

	set(entry: Entry): void {
		const accessedAtMs = this.accessedAtMs(entry.key) || entry.sidecar.ts * 1000;
		this.#uncount(this.#rows.get(entry.key));
		this.#put({entry, accessedAtMs});
	}

	delete(key: Key): void {
		this.#uncount(this.#rows.get(key));
		this.#rows.delete(key);
	}

	touch(key: Key, nowMs: number): void {
		const row = this.#rows.get(key);
		if (row === undefined) return;
		row.accessedAtMs = nowMs;
		this.#rows.delete(key);
		this.#rows.set(key, row);
	}

	adopt(entries: readonly Entry[]): void {
		for (const entry of entries) {
			if (!this.#rows.has(entry.key)) this.set(entry);
		}

		const rows = [...this.#rows].sort(([, a], [, b]) => a.accessedAtMs - b.accessedAtMs);
		this.#rows = new Map(rows);
	}

	*inOrderOfLeaving(): Iterable<Entry> {
		for (const row of this.#rows.values()) yield row.entry;
	}

	#uncount(row: Row | undefined): void {
		if (row === undefined) return;
		this.#sizeBytes -= row.entry.sizeBytes;
		this.#allocatedBytes -= row.entry.allocatedBytes;
	}

	#put(row: Row): void {
		this.#rows.set(row.entry.key, row);
		this.#sizeBytes += row.entry.sizeBytes;
		this.#allocatedBytes += row.entry.allocatedBytes;
	}
}
