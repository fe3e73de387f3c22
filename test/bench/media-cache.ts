/** A process with larder's cache of media open: what it does is a `CacheJob`. */
import {MediaCache} from '../../src/index.js';
import type {CacheJob, Done} from './jobs.js';
import {serve, timed} from './serve.js';

const MAX_SIZE_MB = 100_000;

let cache: MediaCache | undefined;

serve(run);

async function run(job: CacheJob): Promise<Done> {
	if (job.kind === 'open') return open(job);
	const opened = cache;
	if (opened === undefined) throw new Error('nothing is open');
	switch (job.kind) {
		case 'put':
			return put(opened, job);
		case 'get':
			return get(opened, job);
		case 'stats':
			return stats(opened, job);
	}
}

async function open({directory, maxMemoryItems}: CacheJob & {kind: 'open'}): Promise<Done> {
	await cache?.close();
	const opened = new MediaCache(directory, {maxMemoryItems, maxSizeMb: MAX_SIZE_MB});
	cache = opened;
	return timed(async () => {
		await opened.ensureLoaded();
		return opened.stats().total_bytes;
	});
}

function put(opened: MediaCache, {urls, sizeBytes}: CacheJob & {kind: 'put'}): Promise<Done> {
	const body = Buffer.alloc(sizeBytes, 'larder');
	return timed(async () => {
		for (const url of urls) await opened.put(url, body, 'image/jpeg', 'a.jpg');
		return urls.length * sizeBytes;
	});
}

function get(opened: MediaCache, {urls, calls}: CacheJob & {kind: 'get'}): Promise<Done> {
	return timed(async () => {
		let bytes = 0;
		for (let call = 0; call < calls; call++) {
			const media = await opened.get(urls[call % urls.length] ?? '');
			if (media === undefined) throw new Error(`${urls[call % urls.length]} is not stored`);
			bytes += media.data.length;
		}

		return bytes;
	});
}

function stats(opened: MediaCache, {entries, calls}: CacheJob & {kind: 'stats'}): Promise<Done> {
	return timed(() => {
		for (let call = 0; call < calls; call++) {
			const found = opened.stats().entries;
			if (found !== entries) throw new Error(`there are ${found} entries, not ${entries}`);
		}

		return 0;
	});
}
