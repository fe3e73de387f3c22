/** `node fetch-worker.js larder|undici`: a process that fetches one URL, of an origin of its own, over and over. */
import {once} from 'node:events';
import http from 'node:http';
import type {AddressInfo} from 'node:net';
import {Agent, fetch as undiciFetch, interceptors} from 'undici';
import {createCachedFetch} from '../../src/ports/response-cache/index.js';
import {FETCHED_BYTES} from './port-jobs.js';
import {serveCalls} from './serve-calls.js';

interface Opened {
	readonly url: string;
	readonly fetch: (url: string) => Promise<{arrayBuffer(): Promise<ArrayBuffer>}>;
	/** Requests that the origin has had. */
	readonly asked: () => number;
}

const who = process.argv[2];
const body = Buffer.alloc(FETCHED_BYTES, 'larder');

serveCalls<Opened>(open, {
	async hit({url, fetch, asked}) {
		const response = await fetch(url);
		const {byteLength} = await response.arrayBuffer();
		if (byteLength !== FETCHED_BYTES || asked() > 1) throw new Error(`${byteLength} bytes, ${asked()} requests`);
	},
});

async function open(directory: string): Promise<Opened> {
	let asked = 0;
	const origin = http.createServer((_, response) => {
		asked++;
		response.writeHead(200, {
			...{'content-type': 'image/gif', 'content-length': body.byteLength},
			...{'cache-control': 'max-age=86400', 'etag': '"v1"'},
		});
		response.end(body);
	});
	origin.listen(0, '127.0.0.1').unref();
	await once(origin, 'listening');
	const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/a.gif`;
	const fetch = who === 'larder' ? createCachedFetch({cacheName: directory}) : ofUndici();
	await (await fetch(url)).arrayBuffer();
	return {url, fetch, asked: () => asked};
}

/** Its responses are in memory, as it has them unless told: its store on the disk needs a later Node. */
function ofUndici(): Opened['fetch'] {
	const dispatcher = new Agent().compose(interceptors.cache());
	return url => undiciFetch(url, {dispatcher});
}
