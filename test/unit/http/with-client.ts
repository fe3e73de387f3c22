/** What the tests of `src/http/` share: an origin, clients with a time of their own, and readers of bodies. */
import {once, setMaxListeners} from 'node:events';
import net, {type AddressInfo, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {hasCode, messageOf, type ErrorCode} from '../../../src/base/errors.js';
import {NO_LOG} from '../../../src/base/log.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient, type HttpOptions, type HttpResponse} from '../../../src/http/client.js';
import {Origin} from '../../helpers/origin.js';

/** 2026-01-01T00:00:00Z, and it stays that. */
export const NOW = Date.UTC(2026, 0, 1);

export const NEVER: AbortSignal = new AbortController().signal;
setMaxListeners(0, NEVER); // AVA runs the tests of a file side by side

export interface Bench {
	readonly origin: Origin;
	/** Two retries, no waiting between. */
	readonly client: HttpClient;
	/** The waits before retries, of all clients. */
	readonly delays: number[];
	/** A further client, closed at the end. */
	readonly clientWith: (options: Partial<HttpOptions>) => HttpClient;
}

export const withClient = test.macro(
	async (t: ExecutionContext, run: (t: ExecutionContext, bench: Bench) => Promise<void>) => {
		const origin = await Origin.start();
		const clients: HttpClient[] = [];
		const delays: number[] = [];
		const timing = {now: () => NOW, delay: (delayMs: number) => Promise.resolve(void delays.push(delayMs))};
		const clientWith = (options: Partial<HttpOptions>) => {
			const client = new HttpClient({...DEFAULT_HTTP_OPTIONS, retries: 2, ...options}, NO_LOG, timing);
			clients.push(client);
			return client;
		};
		try {
			await run(t, {origin, client: clientWith({}), delays, clientWith});
		} finally {
			for (const client of clients) client.close();
			await origin.close();
		}
	},
);

export async function readBody(response: Pick<HttpResponse, 'body'>): Promise<Buffer> {
	const chunks: Uint8Array[] = [];
	for await (const chunk of response.body) chunks.push(chunk);
	return Buffer.concat(chunks);
}

export async function getText(client: HttpClient, url: string, headers: Record<string, string> = {}): Promise<string> {
	return String(await readBody(await client.get(url, {signal: NEVER, headers})));
}

/** Asserts that `work` fails with `code`; returns the sentence. */
export async function failsWith(t: ExecutionContext, code: ErrorCode, work: Promise<unknown>): Promise<string> {
	const error: unknown = await work.then(
		() => undefined,
		(thrown: unknown) => thrown,
	);
	t.true(hasCode(error, code), `expected ${code}, got ${String(error)}`);
	return messageOf(error);
}

/** A server that accepts a connection and never says anything on it. */
export class Silence {
	readonly #server = net.createServer(socket => {
		this.#socket = socket.on('error', () => undefined).resume();
		this.connections++;
	});
	#socket: Socket | undefined;
	connections = 0;

	static async start(): Promise<Silence> {
		const silence = new Silence();
		silence.#server.listen(0, '127.0.0.1');
		await once(silence.#server, 'listening');
		return silence;
	}

	/** `https:`, so that the connection is not made before TLS is. */
	get url(): string {
		return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
	}

	async connected(): Promise<void> {
		if (!this.#socket) await once(this.#server, 'connection');
	}

	/** Resolves once the last client has hung up, then closes. */
	async close(): Promise<void> {
		const closed = once(this.#server, 'close');
		this.#server.close();
		await closed;
	}
}
