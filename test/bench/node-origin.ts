/** `node node-origin.js DIRECTORY PORT`: the files of a directory over HTTP, where there is no nginx. */
import {createReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';

const [root = '', port = ''] = process.argv.slice(2);
const CHUNK_BYTES = 1024 * 1024;

http
	.createServer((request, response) => {
		void answer(request.url ?? '/', response).catch(() => response.destroy());
	})
	.listen(Number(port), '127.0.0.1');

async function answer(url: string, response: http.ServerResponse): Promise<void> {
	const file = path.join(root, path.normalize(new URL(url, 'http://origin').pathname));
	const {size} = await stat(file);
	response.writeHead(200, {'content-type': 'application/octet-stream', 'content-length': size});
	await pipeline(createReadStream(file, {highWaterMark: CHUNK_BYTES}), response);
}
