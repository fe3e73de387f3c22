import type {Reason} from '../store/limits.js';
import type {Store} from '../store/store.js';

/** What happened since the start. */
export interface Counters {
	/** Lookups answered without a download of their own. */
	hits: number;
	/** Lookups that found nothing stored. */
	misses: number;
	/** Downloads that ended with an entry, and those that did not. */
	downloads: number;
	failures: number;
	downloadedBytes: number;
}

/** The original's statistics under the original's names, and ours beside them. */
export interface CacheStats {
	readonly entries: number;
	readonly entries_in_memory: number;
	/** Bytes of the entries' content. */
	readonly total_bytes: number;
	readonly total_mb: number;
	readonly max_mb: number;
	readonly hits: number;
	readonly misses: number;
	/** hits / (hits + misses), three decimals; 0 before the first lookup. */
	readonly hit_rate: number;
	/** Bytes that the entries take on the disk. */
	readonly allocated_bytes: number;
	/** What counts against `max_bytes`: the entries, downloads in progress, and evicted files still open. */
	readonly used_bytes: number;
	readonly max_bytes: number;
	readonly evicted: number;
	/** The same by what made them leave. */
	readonly evicted_by: Readonly<Record<Reason, number>>;
	readonly downloads: number;
	readonly downloads_running: number;
	readonly download_failures: number;
	readonly downloaded_bytes: number;
}

export function snapshot(store: Store, counters: Counters, downloadsRunning: number): CacheStats {
	const {entries, sizeBytes, allocatedBytes} = store.totals;
	const {hits, misses} = counters;
	const {evicted} = store;
	return {
		entries,
		entries_in_memory: 0,
		total_bytes: sizeBytes,
		total_mb: megabytes(sizeBytes),
		max_mb: megabytes(store.limits.maxBytes),
		hits,
		misses,
		hit_rate: hits + misses === 0 ? 0 : Number((hits / (hits + misses)).toFixed(3)),
		allocated_bytes: allocatedBytes,
		used_bytes: store.usedBytes,
		max_bytes: store.limits.maxBytes,
		evicted: Object.values(evicted).reduce((sum, count) => sum + count, 0),
		evicted_by: evicted,
		downloads: counters.downloads,
		downloads_running: downloadsRunning,
		download_failures: counters.failures,
		downloaded_bytes: counters.downloadedBytes,
	};
}

/** As the original counts them: 1,048,576 bytes, two decimals. */
function megabytes(sizeBytes: number): number {
	return Number((sizeBytes / (1024 * 1024)).toFixed(2));
}
