/**
 * A real HTTP server on loopback that does what it is told, path by path,
 * well or badly, and remembers what it was asked. `origin.ts` knows nothing of larder.
 */
import {once} from 'node:events';
import http, {type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders} from 'node:http';
import net, {type AddressInfo, type LookupFunction, type Socket} from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import {PERIOD, sizeOf, slices, type Content} from './origin-content.js';
import {Pace} from './pace.js';
import {limitSendBuffer} from './send-buffer.js';

export {generated, generatedBody, generatedPart} from './origin-content.js';

/** How one path is answered. */
export interface Behaviour extends Content {
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
	/** Bytes a second of each response, from its first byte on. Pieces take 2 ms; see `Pace`. */
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
	/** Bytes a second of all responses together, each in its turn. */
	readonly rate?: number;
	/** What the kernel keeps of each connection, more or less; see `limitSendBuffer`. */
	readonly sendBufferBytes?: number;
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
	readonly #pace: Pace | undefined;
	/** By path, with the query. */
	readonly #bytesSent = new Map<string, number>();
	#connections = 0;

	private constructor(rate: number | undefined) {
		this.#pace = rate === undefined ? undefined : new Pace(rate);
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

	static async start(options: OriginOptions = {}): Promise<Origin> {
		const {host = '127.0.0.1', port = 0, rate, sendBufferBytes} = options;
		const origin = new Origin(rate);
		origin.#server.listen(port, host);
		await once(origin.#server, 'listening');
		if (sendBufferBytes !== undefined) await limitSendBuffer(origin.#server, sendBufferBytes);
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

	/** Those that are open, be they in use or kept alive. */
	get openConnections(): number {
		return this.#sockets.size;
	}

	/** Bytes of bodies that the kernel has taken, without those that a `handle` writes. */
	get bytesSent(): number {
		return [...this.#bytesSent.values()].reduce((sum, bytes) => sum + bytes, 0);
	}

	/** The same of one path, asked for with this very query. */
	bytesSentOf(path: string): number {
		return this.#bytesSent.get(path) ?? 0;
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
			else await send({response, behaviour, answer, ...this.#sending(path)});
		} catch {
			response.destroy(); // the client left, or the origin is closing
		}
	}

	#sending(path: string): Pick<Sending, 'pace' | 'onSent'> {
		const onSent = (bytes: number) => void this.#bytesSent.set(path, this.bytesSentOf(path) + bytes);
		return {pace: this.#pace, onSent};
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

/** A body on its way. */
interface Sending {
	readonly response: http.ServerResponse;
	readonly behaviour: Behaviour;
	readonly answer: Answer;
	/** That of the origin. */
	readonly pace: Pace | undefined;
	/** Called for each piece that was written out. */
	readonly onSent: (bytes: number) => void;
}

/** @throws AbortError when the client leaves, or the origin closes. */
async function send(sending: Sending): Promise<void> {
	const {response, behaviour, answer} = sending;
	const {dripMs, cutAt, stallAt} = behaviour;
	const paces = pacesOf(sending);
	const stop = Math.min(answer.end, answer.start + (cutAt ?? stallAt ?? Infinity));
	const isPlain = cutAt === undefined && stallAt === undefined && dripMs === undefined && paces.length === 0;
	const isGiven = behaviour.size === undefined && behaviour.file === undefined;
	if (isPlain && isGiven && stop - answer.start <= PERIOD) return sendAtOnce(sending);

	const closed = new AbortController();
	const {signal} = closed;
	response.once('close', () => closed.abort());
	response.flushHeaders();
	for (const piece of slices(behaviour, answer.start, stop, pieceBytesOf(behaviour, paces))) {
		for (const pace of paces) await pace.take(piece.byteLength, signal);
		if (!write(sending, piece)) await once(response, 'drain', {signal});
		if (dripMs !== undefined) await sleep(dripMs, undefined, {signal});
		if (response.destroyed) return;
	}

	if (stallAt !== undefined) return;
	if (cutAt === undefined) response.end();
	else response.write('', () => response.destroy());
}

function pacesOf({behaviour, pace}: Sending): Pace[] {
	const {rate} = behaviour;
	return [...(rate === undefined ? [] : [new Pace(rate)]), ...(pace === undefined ? [] : [pace])];
}

function pieceBytesOf({dripMs, dripBytes = 1}: Behaviour, paces: readonly Pace[]): number {
	return dripMs === undefined ? Math.min(PERIOD, ...paces.map(pace => pace.pieceBytes)) : dripBytes;
}

/** Headers and body in one segment. */
function sendAtOnce({response, behaviour, answer: {start, end}, onSent}: Sending): void {
	const body = Buffer.from(behaviour.body ?? '').subarray(start, end);
	response.end(body, () => onSent(body.byteLength));
}

function write({response, onSent}: Sending, piece: Uint8Array): boolean {
	return response.write(piece, error => {
		if (!error) onSent(piece.byteLength);
	});
}
