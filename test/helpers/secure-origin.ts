/** An origin of https on loopback. */
import {once} from 'node:events';
import type {IncomingHttpHeaders, RequestListener} from 'node:http';
import https from 'node:https';
import type {AddressInfo} from 'node:net';
import type {Certificate} from './certificate.js';

export interface SecureOrigin {
	readonly port: number;
	/** In the order in which they came. */
	readonly requests: Array<{readonly path: string; readonly headers: IncomingHttpHeaders}>;
	readonly connections: () => number;
	url(path: string): string;
	close(): void;
}

/** Answers every request with "hello" unless told otherwise. */
export async function startSecureOrigin(
	{pem}: Certificate,
	options: {host?: string; handle?: RequestListener} = {},
): Promise<SecureOrigin> {
	const {host = '127.0.0.1', handle = (_request, response) => response.end('hello')} = options;
	const requests: SecureOrigin['requests'] = [];
	let connections = 0;
	const server = https.createServer(pem, (request, response) => {
		requests.push({path: request.url ?? '', headers: request.headers});
		handle(request, response);
	});
	server.on('connection', () => connections++);
	server.listen(0, host);
	await once(server, 'listening');
	const {port} = server.address() as AddressInfo;
	return {
		port,
		requests,
		connections: () => connections,
		url: path => `https://${host}:${port}${path}`,
		close() {
			server.closeAllConnections();
			server.close();
		},
	};
}
