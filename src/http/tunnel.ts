import http from 'node:http';
import https from 'node:https';
import type {LookupFunction, Socket} from 'node:net';
import {Duplex} from 'node:stream';
import type {SecureContext} from 'node:tls';
import {ProxyRefusal, type Proxy} from './proxy.js';

export interface ProxyConnectOptions {
	/** Resolves the name of the proxy. */
	readonly proxyLookup: LookupFunction;
	readonly secureContext?: SecureContext | undefined;
}

/**
 * A connection to `authority` (`a.example:443`) through a proxy (RFC 9110 section 9.3.6, CONNECT). It is there
 * at once, as an agent needs it to count connections; what is written waits until the proxy has made it.
 */
export class Tunnel extends Duplex {
	readonly #request: http.ClientRequest;
	#socket: Socket | undefined;
	/** What is done once there is a connection. */
	#waiting: (() => void) | undefined;

	/** @param onFailure - called in the place of an error event: the tunnel is then closed. */
	constructor(
		proxy: Proxy,
		authority: string,
		{proxyLookup: lookup, secureContext}: ProxyConnectOptions,
		private readonly onFailure: (error: Error) => void,
	) {
		super({allowHalfOpen: false});
		const {host, port, isSecure, servername, headers} = proxy;
		this.#request = (isSecure ? https : http).request({
			...{method: 'CONNECT', host, port, servername, lookup, path: authority, agent: false},
			...(secureContext !== undefined && {secureContext}),
			headers: {...headers, host: authority},
		});
		this.#request.once('error', error => this.#fail(error));
		this.#request.once('connect', ({statusCode = 0}, socket: Socket, head) => {
			if (statusCode >= 200 && statusCode < 300) return this.#connect(socket, head);
			socket.destroy();
			this.#fail(new ProxyRefusal(proxy, statusCode));
		});
		this.#request.end();
	}

	/** Whether its connection keeps the process running, as of a socket. */
	ref(): void {
		this.#socket?.ref();
	}

	unref(): void {
		this.#socket?.unref();
	}

	override _read(): void {
		this.#socket?.resume();
	}

	override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
		this.#whenConnected(socket => socket.write(chunk, encoding, done));
	}

	override _final(done: () => void): void {
		this.#whenConnected(socket => socket.end(done));
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		this.#request.destroy();
		this.#socket?.destroy();
		done(error);
	}

	/** Streams write one chunk at a time, and end after the last. */
	#whenConnected(work: (socket: Socket) => void): void {
		const socket = this.#socket;
		if (socket) work(socket);
		else this.#waiting = () => this.#whenConnected(work);
	}

	#connect(socket: Socket, head: Buffer): void {
		if (this.destroyed) return void socket.destroy();
		this.#socket = socket;
		socket.on('data', chunk => {
			if (!this.push(chunk)) socket.pause();
		});
		socket.once('end', () => this.push(null));
		socket.once('error', error => this.#fail(error));
		// What came before its end may still have to be read.
		socket.once('close', () => {
			if (!socket.readableEnded) this.destroy();
		});
		if (head.byteLength > 0) socket.unshift(head);
		this.#waiting?.();
	}

	#fail(error: Error): void {
		if (this.destroyed) return;
		this.destroy();
		this.onFailure(error);
	}
}
