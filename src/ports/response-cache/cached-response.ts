import type {BodyFile} from './body-file.js';
import {bytesResponse} from './bytes-response.js';
import type {ResponseHead} from './head.js';
import type {StoredEntry} from './stored-entry.js';

/** Statuses whose answers have no body: Node's Response refuses one. */
const NO_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/** A response as it was stored. Its body can be read as often as is wanted, in any way. */
export class CachedResponse {
	readonly url: string;
	readonly status: number;
	readonly statusText: string;
	readonly redirected: boolean;
	/** Epoch milliseconds. */
	readonly storedAtMs: number;
	/** Bytes of the body. */
	readonly bodyBytes: number;

	constructor(private readonly entry: StoredEntry<ResponseHead>) {
		const {url, status, statusText, redirected, storedAtMs} = entry.head;
		[this.url, this.status, this.statusText] = [url, status, statusText];
		[this.redirected, this.storedAtMs, this.bodyBytes] = [redirected, storedAtMs, entry.bodyBytes];
	}

	get head(): ResponseHead {
		return this.entry.head;
	}

	get headers(): Headers {
		return new Headers(this.head.headers.map(([name, value]) => [name, value]));
	}

	/** The body from its beginning. */
	stream(chunkBytes?: number): ReadableStream<Uint8Array> {
		const {body} = this.entry;
		return body instanceof Uint8Array ? inChunks(body, chunkBytes) : body.stream(chunkBytes);
	}

	async bytes(): Promise<Uint8Array> {
		const {body} = this.entry;
		return body instanceof Uint8Array ? body.slice() : readAll(body);
	}

	async text(): Promise<string> {
		return new TextDecoder().decode(await this.bytes());
	}

	async json(): Promise<unknown> {
		return JSON.parse(await this.text()) as unknown;
	}

	/** Without their ends, which are `\n` or `\r\n`. */
	async *lines(): AsyncGenerator<string, void> {
		const decoder = new TextDecoder();
		let rest = '';
		for await (const chunk of this.stream()) {
			const lines = (rest + decoder.decode(chunk, {stream: true})).split(/\r?\n/);
			rest = lines.pop() ?? '';
			yield* lines;
		}

		rest += decoder.decode();
		if (rest !== '') yield rest;
	}

	/** As fetch gives it. */
	toResponse(method = 'GET'): Response {
		const {body} = this.entry;
		const isEmpty = method === 'HEAD' || NO_BODY.has(this.status);
		return responseOf(this.head, isEmpty ? null : body instanceof Uint8Array ? body : this.stream());
	}

	/** Lets go of the file now; else it is when nothing refers to this any more. */
	close(): void {
		if (!(this.entry.body instanceof Uint8Array)) this.entry.body.close();
	}
}

/** A Response with the URL that it came from, which its constructor does not take. */
export function responseOf(
	{
		url,
		redirected,
		status,
		statusText,
		headers,
	}: Omit<ResponseHead, 'kind' | 'key' | 'method' | 'requestUrl' | 'storedAtMs' | 'caching'>,
	body: Uint8Array | ReadableStream<Uint8Array> | null,
): Response {
	const init = {status, statusText, headers: headers.map(([name, value]): [string, string] => [name, value])};
	const response = body instanceof Uint8Array ? bytesResponse(body, init) : new Response(body, init);
	return withUrl(response, url, redirected);
}

function withUrl(response: Response, url: string, redirected: boolean): Response {
	const clone = response.clone.bind(response);
	return Object.defineProperties(response, {
		url: {value: url},
		redirected: {value: redirected},
		type: {value: 'basic'},
		clone: {value: () => withUrl(clone(), url, redirected)},
	});
}

function inChunks(body: Uint8Array, chunkBytes = body.byteLength): ReadableStream<Uint8Array> {
	let position = 0;
	return new ReadableStream<Uint8Array>(
		{
			pull(controller) {
				const chunk = body.slice(position, position + chunkBytes);
				position += chunk.byteLength;
				if (chunk.byteLength > 0) controller.enqueue(chunk);
				if (position === body.byteLength) controller.close();
			},
		},
		{highWaterMark: 0},
	);
}

async function readAll(body: BodyFile): Promise<Uint8Array> {
	const bytes = new Uint8Array(body.bytes);
	let position = 0;
	for await (const chunk of body.stream(1024 * 1024)) {
		bytes.set(chunk, position);
		position += chunk.byteLength;
	}

	return bytes;
}
