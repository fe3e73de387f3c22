/** A process that reads and writes responses in larder's `FileCache`. */
import {CachedResponse, FileCache} from '../../src/ports/response-cache/index.js';
import {READ_KEYS, RESPONSE_BYTES} from './port-jobs.js';
import {serveCalls} from './serve-calls.js';

interface Opened {
	readonly cache: FileCache;
	/** What is written under other keys. */
	readonly response: CachedResponse;
}

serveCalls<Opened>(open, {
	write: ({cache, response}, call) => cache.write(`key${call}`, response),
	async read({cache}, call) {
		const response = await cache.read(`key${call % READ_KEYS}`);
		if (!(response instanceof CachedResponse)) throw new Error('it is not there');
		const {byteLength} = await response.bytes();
		if (byteLength !== RESPONSE_BYTES) throw new Error(`${byteLength} bytes`);
	},
});

async function open(directory: string): Promise<Opened> {
	const cache = new FileCache(directory);
	const headers = {'content-type': 'image/gif', 'cache-control': 'max-age=60', 'etag': '"v1"', 'server': 'a server'};
	await cache.write('first', new Response(Buffer.alloc(RESPONSE_BYTES, 'larder'), {headers}));
	const response = await cache.read('first');
	if (!(response instanceof CachedResponse)) throw new Error('it is not there');
	return {cache, response};
}
