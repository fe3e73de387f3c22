/** A TCP server on loopback that answers each path with exactly the bytes it is told, HTTP or not. */
import {once} from 'node:events';
import net, {type AddressInfo, type Socket} from 'node:net';
import type {ExecutionContext} from 'ava';

/** What is sent for a request: bytes, after which the connection stays open, or whatever is done to the socket. */
export type RawAnswer = string | Buffer | ((socket: Socket) => void);

export class RawOrigin {
	/** The heads of the requests, byte for byte, in the order in which they came. */
	readonly requests: string[] = [];
	/** Called with each connection, before anything is read from it. */
	onConnection: (socket: Socket) => void = () => undefined;
	readonly #answers = new Map<string, RawAnswer>();
	readonly #sockets = new Set<Socket>();
	readonly #server = net.createServer(socket => this.#take(socket));
	#connections = 0;

	/** Listens, and sees to it that nothing is left of it after the test. */
	static async start(t: ExecutionContext, host = '127.0.0.1'): Promise<RawOrigin> {
		const origin = new RawOrigin();
		origin.#server.listen(0, host);
		await once(origin.#server, 'listening');
		t.teardown(() => origin.#close());
		return origin;
	}

	/** Answers `path` like this from now on, with any query, and returns its URL. */
	serve(path: string, answer: RawAnswer): string {
		this.#answers.set(path, answer);
		return this.url(path);
	}

	url(path: string): string {
		return `http://${this.host}${path}`;
	}

	/** Host and port, as in a URL. */
	get host(): string {
		const {address, port} = this.#server.address() as AddressInfo;
		return `${address}:${port}`;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	/** How many were made since the start. */
	get connections(): number {
		return this.#connections;
	}

	/** How many are open. */
	get open(): number {
		return this.#sockets.size;
	}

	requestsOf(path: string): string[] {
		return this.requests.filter(head => pathOf(head) === path);
	}

	#take(socket: Socket): void {
		this.#connections++;
		this.#sockets.add(socket);
		socket.setNoDelay();
		socket.on('error', () => undefined);
		socket.once('close', () => this.#sockets.delete(socket));
		this.onConnection(socket);
		let received = '';
		socket.on('data', data => {
			received += data.toString('latin1');
			for (let end = received.indexOf('\r\n\r\n'); end !== -1; end = received.indexOf('\r\n\r\n')) {
				this.#answer(socket, received.slice(0, end));
				received = received.slice(end + 4);
			}
		});
	}

	#answer(socket: Socket, head: string): void {
		this.requests.push(head);
		const answer = this.#answers.get(pathOf(head)) ?? 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';
		if (typeof answer === 'function') answer(socket);
		else socket.write(answer);
	}

	async #close(): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		const closed = once(this.#server, 'close');
		this.#server.close();
		await closed;
	}
}

function pathOf(head: string): string {
	return /^\S+ ([^ ?]*)/.exec(head)?.[1] ?? '';
}
