/**
 * A real HTTP server on loopback that does what it is told, path by path,
 * well or badly, and remembers what it was asked. `origin.ts` knows nothing of larder.
 */
import {once} from 'node:events';
import http, {type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders} from 'node:http';
import net, {type AddressInfo, type LookupFunction, type Socket} from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';

/** How one path is answered. Without `body` and `size` the body is empty. */
export interface Behaviour {
	readonly body?: string | Uint8Array;
	/** Bytes of generated content in the place of `body`; see `generated`. */
	readonly size?: number;
	/** Content-Type. */
	readonly type?: string;
	readonly headers?: OutgoingHttpHeaders;
	/** 200 unless told, or 302 with `redirect`. */
	readonly status?: number;
	/** Location, as it is to be sent. */
	readonly redirect?: string;
	/** Answers `If-None-Match` and `If-Modified-Since` with 304 where they fit. */
	readonly etag?: string;
	readonly lastModified?: Date;
	/** `Cache-Control: max-age`, in seconds. */
	readonly maxAge?: number;
	/** Answers `Range` (a single one, `If-Range` respected) with 206 and 416, or not quite as it should. */
	readonly ranges?: true | RangeFault;
	/** Before the headers. */
	readonly delayMs?: number;
	/** Bytes a second, at most. */
	readonly rate?: number;
	/** Sends the body in pieces of `dripBytes` (1 unless told) with this pause between. */
	readonly dripMs?: number;
	readonly dripBytes?: number;
	/** No Content-Length. */
	readonly chunked?: true;
	/** A Content-Length that may be a lie. Where more was announced than is sent, the connection is closed after it. */
	readonly announce?: number;
	/** Destroys the connection after this many bytes of the body. */
	readonly cutAt?: number;
	/** Sends this many bytes of the body, then nothing. */
	readonly stallAt?: number;
	/** Takes the request and never answers. */
	readonly hang?: true;
	/** For what the rest of this table cannot say; it is called in the place of everything else. */
	readonly handle?: (request: IncomingMessage, response: http.ServerResponse) => void;
	/** For the first requests, one each; after them the rest of this behaviour holds. */
	readonly sequence?: readonly Behaviour[];
}

/** What is wrong with how ranges are answered. */
export interface RangeFault {
	/** Sends bytes `[start, end)` in the place of what was asked for, and says so. */
	readonly part?: {readonly start?: number; readonly end?: number};
	/** Of each 206, in the place of what they should be; undefined leaves one out. */
	readonly headers?: OutgoingHttpHeaders;
	/** Answers with a part of whatever there is now. */
	readonly ignoresIfRange?: true;
}

/** A request as it came; `status` is what it was answered with, `undefined` until then. */
export interface RecordedRequest {
	readonly method: string;
	/** With the query. */
	readonly path: string;
	readonly headers: IncomingHttpHeaders;
	status: number | undefined;
}

export interface OriginOptions {
	/** A loopback address. */
	readonly host?: string;
	readonly port?: number;
}

/** Emitted by the server for each connection that has closed. */
const LEFT = 'left';

export class Origin {
	/** In the order in which they came. */
	readonly requests: RecordedRequest[] = [];
	readonly #behaviours = new Map<string, Behaviour>();
	readonly #sockets = new Set<Socket>();
	readonly #server: http.Server;
	readonly #closed = new AbortController();
	#connections = 0;

	private constructor() {
		this.#server = http.createServer((request, response) => void this.#answer(request, response));
		this.#server.keepAliveTimeout = 60_000;
		this.#server.on('connection', (socket: Socket) => {
			this.#connections++;
			this.#sockets.add(socket);
			socket.on('error', () => undefined);
			socket.once('close', () => {
				this.#sockets.delete(socket);
				this.#server.emit(LEFT);
			});
		});
	}

	static async start({host = '127.0.0.1', port = 0}: OriginOptions = {}): Promise<Origin> {
		const origin = new Origin();
		origin.#server.listen(port, host);
		await once(origin.#server, 'listening');
		return origin;
	}

	/** A URL on loopback where nothing listens. */
	static async refused(): Promise<string> {
		const origin = await Origin.start();
		const url = origin.url('/');
		await origin.close();
		return url;
	}

	/** Answers `path` like this from now on, and returns its URL. A path with a query goes before the same without. */
	serve(path: string, behaviour: Behaviour): string {
		this.#behaviours.set(path, behaviour);
		return this.url(path);
	}

	url(path: string): string {
		return `http://${this.host}${path}`;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	/** Host and port, as in a URL. */
	get host(): string {
		const {address, port, family} = this.#server.address() as AddressInfo;
		return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
	}

	/** How many connections were made since the start. */
	get connections(): number {
		return this.#connections;
	}

	requestsOf(path: string): RecordedRequest[] {
		return this.requests.filter(request => request.path === path);
	}

	/** Resolves once `path` was asked for `count` times. */
	async received(path: string, count = 1): Promise<void> {
		while (this.requestsOf(path).length < count) await once(this.#server, 'request', {signal: this.#closed.signal});
	}

	/** Resolves once no connection is open, be it in use or kept alive. */
	async disconnected(): Promise<void> {
		while (this.#sockets.size > 0) await once(this.#server, LEFT, {signal: this.#closed.signal});
	}

	/** Ends also what hangs; whoever still waits for `received` or `disconnected` gets an AbortError. */
	async close(): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		const closed = once(this.#server, 'close');
		this.#server.close();
		await closed;
		this.#closed.abort();
	}

	async #answer(request: IncomingMessage, response: http.ServerResponse): Promise<void> {
		const {method = '', url: path = '', headers} = request;
		const recorded: RecordedRequest = {method, path, headers, status: undefined};
		const behaviour = this.#behaviourFor(path);
		this.requests.push(recorded);
		if (behaviour.handle) {
			response.once('finish', () => (recorded.status = response.statusCode));
			return behaviour.handle(request, response);
		}

		if (behaviour.hang) return;
		try {
			if (behaviour.delayMs) await sleep(behaviour.delayMs, undefined, {signal: this.#closed.signal});
			const answer = answerTo(request, behaviour);
			recorded.status = answer.status;
			response.writeHead(answer.status, answer.headers);
			if (method === 'HEAD' || answer.status === 304) response.end();
			else await send(response, behaviour, answer, this.#closed.signal);
		} catch {
			response.destroy(); // the client left, or the origin is closing
		}
	}

	#behaviourFor(path: string): Behaviour {
		const pathname = path.split('?', 1)[0] ?? '';
		const known = this.#behaviours.has(path) ? path : pathname;
		const behaviour = this.#behaviours.get(known) ?? {status: 404};
		const [first, ...rest] = behaviour.sequence ?? [];
		if (!first) return behaviour;
		this.#behaviours.set(known, {...behaviour, sequence: rest});
		return first;
	}
}

/** A resolver for which every name is `host`; it never asks the network. */
export function resolveTo(host: string): LookupFunction {
	const family = net.isIP(host);
	return (_name, options, callback) => {
		if (options.all) process.nextTick(callback, null, [{address: host, family}]);
		else process.nextTick(callback, null, host, family);
	};
}

/** A resolver for which no name resolves, with this error code. */
export function failToResolve(code: string): LookupFunction {
	return (name, _options, callback) => {
		process.nextTick(callback, Object.assign(new Error(`getaddrinfo ${code} ${name}`), {code}), '', 4);
	};
}

/** A prime, so that no chunk size hides a shifted byte. */
const PERIOD = 65_521;
const PATTERN = Buffer.alloc(2 * PERIOD);
for (let index = 0, state = 1; index < PERIOD; index++) {
	state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
	PATTERN[index] = PATTERN[index + PERIOD] = state >>> 16;
}

/** Bytes `[start, end)` of the content that `size` serves; the same for every size, at most 65,521 at a time. */
export function generated(start: number, end: number): Buffer {
	const from = start % PERIOD;
	return PATTERN.subarray(from, from + Math.min(end - start, PERIOD));
}

/** All of the content that `size` serves, for small sizes. */
export function generatedBody(size: number): Buffer {
	return Buffer.concat([...slices({size}, 0, size, PERIOD)]);
}

interface Answer {
	readonly status: number;
	readonly headers: OutgoingHttpHeaders;
	/** The part of the body that is sent: all of it, a range, or nothing. */
	readonly start: number;
	readonly end: number;
}

function answerTo(request: IncomingMessage, behaviour: Behaviour): Answer {
	const {type, etag, lastModified, maxAge, redirect, ranges} = behaviour;
	const headers: OutgoingHttpHeaders = {
		...(type !== undefined && {'content-type': type}),
		...(etag !== undefined && {etag}),
		...(lastModified !== undefined && {'last-modified': lastModified.toUTCString()}),
		...(maxAge !== undefined && {'cache-control': `max-age=${maxAge}`}),
		...(redirect !== undefined && {location: redirect}),
		...(ranges && {'accept-ranges': 'bytes'}),
	};
	const size = sizeOf(behaviour);
	if (isUnchanged(request.headers, behaviour)) return {status: 304, headers, start: 0, end: 0};

	const status = behaviour.status ?? (redirect === undefined ? 200 : 302);
	const range = status === 200 && request.method === 'GET' ? rangeOf(request.headers, behaviour, size) : undefined;
	if (range === 'unsatisfiable') {
		return {
			status: 416,
			headers: {...headers, 'content-range': `bytes */${size}`, 'content-length': 0},
			start: 0,
			end: 0,
		};
	}

	const {start, end} = range ?? {start: 0, end: size};
	if (range) headers['content-range'] = `bytes ${start}-${end - 1}/${size}`;
	if (!behaviour.chunked) headers['content-length'] = behaviour.announce ?? end - start;
	if (behaviour.announce !== undefined && behaviour.announce > end - start) headers['connection'] = 'close';
	const sent = {...headers, ...behaviour.headers, ...(range && faultOf(behaviour).headers)};
	const said = Object.entries(sent).filter(([, value]) => value !== undefined);
	return {status: range ? 206 : status, headers: Object.fromEntries(said), start, end};
}

function isUnchanged(headers: IncomingHttpHeaders, {etag, lastModified}: Behaviour): boolean {
	const match = headers['if-none-match'];
	if (match !== undefined) return etag !== undefined && match.split(/\s*,\s*/).includes(etag);
	const since = Date.parse(headers['if-modified-since'] ?? '');
	return lastModified !== undefined && Math.floor(lastModified.getTime() / 1000) * 1000 <= since;
}

/** RFC 9110 sections 14.2 and 13.1.5: a range that is invalid is ignored, and a weak ETag never matches. */
function rangeOf(headers: IncomingHttpHeaders, behaviour: Behaviour, size: number) {
	const {etag, lastModified, ranges} = behaviour;
	if (!ranges) return undefined;
	const {ignoresIfRange, part} = faultOf(behaviour);
	const condition = headers['if-range'];
	const validators: unknown[] = [etag?.startsWith('W/') ? undefined : etag, lastModified?.toUTCString()];
	if (condition !== undefined && !ignoresIfRange && !validators.includes(condition)) return undefined;
	const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? [];
	if (first === '' && last === '') return undefined;
	if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
	const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
	const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
	return start < end ? {start, end, ...part} : 'unsatisfiable';
}

function faultOf({ranges}: Behaviour): RangeFault {
	return typeof ranges === 'object' ? ranges : {};
}

async function send(
	response: http.ServerResponse,
	behaviour: Behaviour,
	{start, end}: Answer,
	closed: AbortSignal,
): Promise<void> {
	const {rate, dripMs, dripBytes = 1, cutAt, stallAt} = behaviour;
	const pieceBytes = dripMs !== undefined ? dripBytes : rate !== undefined ? Math.max(1, Math.ceil(rate / 50)) : PERIOD;
	const pauseMs = dripMs ?? (rate === undefined ? 0 : (pieceBytes / rate) * 1000);
	const stop = Math.min(end, start + (cutAt ?? stallAt ?? Infinity));
	if (cutAt === undefined && stallAt === undefined && pauseMs === 0 && behaviour.size === undefined) {
		response.end(Buffer.from(behaviour.body ?? '').subarray(start, end)); // headers and body in one segment
		return;
	}

	response.flushHeaders();
	for (const piece of slices(behaviour, start, stop, pieceBytes)) {
		if (!response.write(piece)) await once(response, 'drain', {signal: closed});
		if (pauseMs > 0) await sleep(pauseMs, undefined, {signal: closed});
		if (response.destroyed) return;
	}

	if (stallAt !== undefined) return;
	if (cutAt === undefined) response.end();
	else response.write('', () => response.destroy());
}

function* slices(behaviour: Behaviour, start: number, end: number, pieceBytes: number): Generator<Uint8Array> {
	const {body} = behaviour;
	const bytes = body === undefined ? undefined : Buffer.from(body);
	for (let at = start; at < end;) {
		const until = Math.min(end, at + pieceBytes);
		const piece = bytes ? bytes.subarray(at, until) : generated(at, until);
		yield piece;
		at += piece.byteLength;
	}
}

function sizeOf({body, size}: Behaviour): number {
	return size ?? Buffer.byteLength(body ?? '');
}
