/** The connections to origins: kept alive, bounded in number, each with a deadline for being made. */
import http, {type ClientRequest, type ClientRequestArgs} from 'node:http';
import https from 'node:https';
import type {LookupFunction} from 'node:net';
import type {Duplex} from 'node:stream';
import {formatDuration} from '../base/units.js';

export interface ConnectOptions {
	/** From asking the resolver until TCP, and TLS where there is, are set up. */
	readonly connectTimeoutMs: number;
	/** Resolves host names. Not asked for a host that is an IP address. */
	readonly lookup: LookupFunction;
}

/** Bounds on each scheme, host and port. Further requests wait for a connection to be free. */
const MAX_SOCKETS = 64;
const MAX_FREE_SOCKETS = 8;
/** Unused connections are closed after this, or earlier when the origin said so in `Keep-Alive: timeout=`. */
const FREE_SOCKET_TIMEOUT_MS = 15_000;

/** What `http.request` and subclasses rely on, and the types leave out or have wrong. */
interface Hooks {
	addRequest(request: ClientRequest, options: object): void;
	keepSocketAlive(socket: Duplex): boolean;
}

type AgentClass = new (options: https.AgentOptions) => Hooks & http.Agent;

/** One agent for each scheme. */
export class Agents {
	readonly #plain: GuardedAgent;
	readonly #secure: GuardedAgent;

	constructor({connectTimeoutMs, lookup}: ConnectOptions) {
		const options = {
			keepAlive: true,
			maxSockets: MAX_SOCKETS,
			maxFreeSockets: MAX_FREE_SOCKETS,
			timeout: FREE_SOCKET_TIMEOUT_MS,
			lookup,
		};
		this.#plain = new PlainAgent(options);
		this.#secure = new SecureAgent(options);
		this.#plain.connectTimeoutMs = connectTimeoutMs;
		this.#secure.connectTimeoutMs = connectTimeoutMs;
	}

	/**
	 * Calls `start` with the agent for `url`, and hands back what it returned
	 * together with the request it made, if it got as far.
	 *
	 * @param start - makes at most one request, before it returns.
	 */
	observe<T>(url: URL, start: (agent: http.Agent) => T): {request: ClientRequest | undefined; result: T} {
		const agent = url.protocol === 'https:' ? this.#secure : this.#plain;
		const result = start(agent);
		const request = agent.started;
		agent.started = undefined;
		return {request, result};
	}

	/** Closes every connection, also those in use. */
	destroy(): void {
		this.#plain.destroy();
		this.#secure.destroy();
	}
}

interface GuardedAgent extends http.Agent {
	connectTimeoutMs: number;
	/** The latest request made through this agent. */
	started: ClientRequest | undefined;
}

function guarded(Base: AgentClass, connected: 'connect' | 'secureConnect') {
	return class extends Base implements GuardedAgent {
		connectTimeoutMs = 0;
		started: ClientRequest | undefined;

		override addRequest(request: ClientRequest, options: object): void {
			this.started = request;
			super.addRequest(request, options);
		}

		override createConnection(
			options: ClientRequestArgs,
			callback?: (error: Error | null, stream: Duplex) => void,
		): Duplex | null | undefined {
			const socket = super.createConnection(options, callback);
			if (socket) limitConnect(socket, connected, this.connectTimeoutMs);
			return socket;
		}

		override keepSocketAlive(socket: Duplex): boolean {
			// Bytes nobody asked for would be taken for the answer to the next request.
			socket.on('data', destroyThis);
			return super.keepSocketAlive(socket);
		}

		override reuseSocket(socket: Duplex, request: ClientRequest): void {
			socket.off('data', destroyThis);
			super.reuseSocket(socket, request);
		}
	};
}

const PlainAgent = guarded(http.Agent as unknown as AgentClass, 'connect');
const SecureAgent = guarded(https.Agent as unknown as AgentClass, 'secureConnect');

/** Ends the attempt with an `ETIMEDOUT`, as the system would, only sooner. */
function limitConnect(socket: Duplex, connected: string, timeoutMs: number): void {
	const timer = setTimeout(() => {
		const error = new Error(`no connection within ${formatDuration(timeoutMs)}`);
		socket.destroy(Object.assign(error, {code: 'ETIMEDOUT'}));
	}, timeoutMs);
	const disarm = () => clearTimeout(timer);
	socket.once(connected, disarm);
	socket.once('close', disarm);
}

function destroyThis(this: Duplex): void {
	this.destroy();
}
