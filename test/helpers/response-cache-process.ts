/** Another process that uses a response cache as it is told: the program, and what starts it. */
import type {ExecutionContext} from 'ava';
import {createCachedFetch, FileCache} from '../../src/ports/response-cache/index.js';
import {doAsTold} from './do-as-told.js';
import {ForkedProcess} from './forked-process.js';

const commands = {
	/** Writes values and responses of many sizes, reads and removes, until it is killed. */
	keepAtIt(directory: string, keys: readonly string[]) {
		const cache = new FileCache(directory, {maxBytes: 4_000_000});
		void (async () => {
			for (let count = 0; ; count++) {
				const key = keys[count % keys.length] as string;
				const size = (count * 7919) % (count % 10 === 0 ? 600_000 : 5000);
				const text = `${key} ${size} ${'x'.repeat(size)}`;
				await cache.write(key, count % 2 ? text : new Response(text));
				if (count % 13 === 0) await cache.delete(key);
				await new Promise(setImmediate);
			}
		})();
	},
	write: (directory: string, key: string, text: string) => new FileCache(directory).write(key, new Response(text)),
	delete: (directory: string, key: string) => new FileCache(directory).delete(key),
	/** Fetches URLs over and over until it is killed. */
	keepFetching(directory: string, urls: readonly string[]) {
		const fetch = createCachedFetch({cacheName: directory, freshness: 50});
		void (async () => {
			for (let count = 0; ; count++) await (await fetch(urls[count % urls.length] as string)).arrayBuffer();
		})();
	},
};

/** Ends with the test. */
export function startResponseProcess(t: ExecutionContext): ForkedProcess<typeof commands> {
	const forked = new ForkedProcess<typeof commands>(import.meta.filename);
	t.teardown(() => forked.kill());
	return forked;
}

if (process.argv[1] === import.meta.filename) doAsTold(commands);
