import type {Bench, Findings} from './bench.js';
import {TTL_OPERATIONS} from './port-jobs.js';
import {pythonOf, scriptOf, sideBySide} from './side-by-side.js';

/** larder/ttl-cache beside the Python original's functions. */
export function ttlCache(bench: Bench): Promise<Findings> {
	return sideBySide(bench, {
		title: 'ttl-cache',
		programs: {larder: scriptOf('ttl-cache-worker.js'), original: pythonOf('ttl_cache.py')},
		operations: TTL_OPERATIONS,
	});
}
