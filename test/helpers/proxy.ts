/** A proxy on loopback: it tunnels (CONNECT), and forwards what it is asked for by a whole URL. */
import {once} from 'node:events';
import http, {type IncomingHttpHeaders, type IncomingMessage} from 'node:http';
import https from 'node:https';
import net, {type AddressInfo, type Socket} from 'node:net';
import type {Duplex} from 'node:stream';
import type {Certificate} from './certificate.js';

export interface ProxyOptions {
	/** Every name is at this address; 127.0.0.1 unless told. */
	readonly target?: string;
	/** Answers whoever asks with this status. */
	readonly refuse?: number;
	/** Takes CONNECT and never answers. */
	readonly hang?: true;
	/** TLS is spoken with it. */
	readonly certificate?: Certificate;
}

export class TestProxy {
	/** `CONNECT a.test:443`, `GET http://a.test/x`. */
	readonly requests: Array<{readonly line: string; readonly headers: IncomingHttpHeaders}> = [];
	connections = 0;
	readonly #sockets = new Set<Socket>();
	readonly #server: http.Server;

	private constructor(private readonly options: ProxyOptions) {
		const {certificate} = options;
		const forward = (request: IncomingMessage, response: http.ServerResponse) => this.#forward(request, response);
		this.#server = certificate ? https.createServer(certificate.pem, forward) : http.createServer(forward);
		this.#server.on('connect', (request: IncomingMessage, socket: Duplex) => this.#tunnel(request, socket));
		this.#server.on('connection', (socket: Socket) => {
			this.connections++;
			this.#sockets.add(socket);
			socket.on('error', () => undefined);
			socket.once('close', () => {
				this.#sockets.delete(socket);
				this.#server.emit('left');
			});
		});
	}

	static async start(options: ProxyOptions = {}): Promise<TestProxy> {
		const proxy = new TestProxy(options);
		proxy.#server.listen(0, '127.0.0.1');
		await once(proxy.#server, 'listening');
		return proxy;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get url(): string {
		return `http${this.options.certificate ? 's' : ''}://127.0.0.1:${this.port}`;
	}

	/** Resolves once nobody is connected. */
	async disconnected(): Promise<void> {
		while (this.#sockets.size > 0) await once(this.#server, 'left');
	}

	async close(): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		const closed = once(this.#server, 'close');
		this.#server.close();
		await closed;
	}

	#note({method, url, headers}: IncomingMessage): void {
		this.requests.push({line: `${method} ${url}`, headers});
	}

	#tunnel(request: IncomingMessage, socket: Duplex): void {
		this.#note(request);
		const {refuse, hang, target = '127.0.0.1'} = this.options;
		socket.on('error', () => undefined);
		if (hang) return void socket.on('end', () => socket.end()).resume();
		if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} Refused\r\ncontent-length: 4\r\n\r\nbody`);
		const origin = net.connect(Number(request.url?.split(':').at(-1)), target, () => {
			socket.write('HTTP/1.1 200 Connected\r\n\r\n');
			origin.pipe(socket).pipe(origin);
		});
		origin.on('error', () => socket.destroy());
		socket.on('close', () => origin.destroy());
	}

	#forward(request: IncomingMessage, response: http.ServerResponse): void {
		this.#note(request);
		const {refuse, target = '127.0.0.1'} = this.options;
		if (refuse !== undefined) return void response.writeHead(refuse).end();
		const {port, pathname, search} = new URL(request.url ?? '');
		const {'proxy-authorization': _credentials, ...headers} = request.headers;
		http
			.get({host: target, port, path: pathname + search, headers}, answer => {
				response.writeHead(answer.statusCode ?? 0, answer.headers);
				answer.pipe(response);
			})
			.on('error', () => response.writeHead(502).end());
	}
}
