import type {Bench, Findings} from './bench.js';
import {FETCH_OPERATIONS, RESPONSE_OPERATIONS} from './port-jobs.js';
import {pythonOf, scriptOf, sideBySide} from './side-by-side.js';

/** larder/response-cache: its `FileCache` beside the Python original's way, its fetch beside undici's cache interceptor. */
export async function responseCache(bench: Bench): Promise<Findings> {
	const files = await sideBySide(bench, {
		title: 'response-cache',
		programs: {larder: scriptOf('file-cache-worker.js'), original: pythonOf('file_cache.py')},
		operations: RESPONSE_OPERATIONS,
	});
	const fetches = await sideBySide(bench, {
		title: 'response-cache fetch',
		programs: {larder: scriptOf('fetch-worker.js', 'larder'), undici: scriptOf('fetch-worker.js', 'undici')},
		operations: FETCH_OPERATIONS,
	});
	return {rows: [...files.rows, ...fetches.rows], runs: {...files.runs, ...fetches.runs}};
}
