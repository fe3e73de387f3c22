/** The connections to origins: kept alive, bounded in number, each with a deadline for being made. */
import http, {type ClientRequest, type ClientRequestArgs} from 'node:http';
import https from 'node:https';
import type {LookupFunction} from 'node:net';
import type {Duplex} from 'node:stream';
import {createSecureContext, type SecureContext} from 'node:tls';
import {formatDuration} from '../base/units.js';
import type {AgentClass, Connected, Hooks} from './agent-class.js';
import type {Proxy} from './proxy.js';
import {forwarding, tunnelling} from './proxy-agents.js';

export interface ConnectOptions {
	/** From asking the resolver until TCP, and TLS where there is, are set up. */
	readonly connectTimeoutMs: number;
	/** Resolves host names. Not asked for a host that is an IP address. */
	readonly lookup: LookupFunction;
	/** The same for the names of proxies. */
	readonly proxyLookup: LookupFunction;
	/** The certificates to trust, PEM; where they are left out those of Node. */
	readonly ca?: readonly string[] | undefined;
	/** The bound over all hosts, of each scheme and proxy. */
	readonly maxTotalSockets?: number;
}

/** Bounds on each scheme, host and port. Further requests wait for a connection to be free. */
const MAX_SOCKETS = 64;
const MAX_FREE_SOCKETS = 8;
/** The same over all hosts. */
const MAX_TOTAL_SOCKETS = 256;
/** Unused connections are closed after this, or earlier when the origin said so in `Keep-Alive: timeout=`. */
const FREE_SOCKET_TIMEOUT_MS = 15_000;

/** One agent for each scheme, and for each scheme and proxy. */
export class Agents {
	readonly #options: ConnectOptions & {readonly maxTotalSockets: number};
	readonly #secureContext: SecureContext | undefined;
	/** By proxy and scheme. */
	readonly #agents = new Map<string, GuardedAgent>();

	constructor(options: ConnectOptions) {
		this.#options = {...options, maxTotalSockets: options.maxTotalSockets ?? MAX_TOTAL_SOCKETS};
		// Made once: each connection would otherwise read all certificates anew.
		this.#secureContext = options.ca === undefined ? undefined : createSecureContext({ca: [...options.ca]});
	}

	/**
	 * Calls `start` with the agent for `url`, and hands back what it returned
	 * together with the request it made, if it got as far.
	 *
	 * @param proxy - undefined where the origin is to be connected to.
	 * @param start - makes at most one request, before it returns.
	 */
	observe<T>(
		url: URL,
		proxy: Proxy | undefined,
		start: (agent: http.Agent) => T,
	): {request: ClientRequest | undefined; result: T} {
		const agent = this.#agentFor(url.protocol === 'https:', proxy);
		const result = start(agent);
		const request = agent.started;
		agent.started = undefined;
		return {request, result};
	}

	/** Closes every connection, also those in use. */
	destroy(): void {
		for (const agent of this.#agents.values()) agent.destroy();
	}

	#agentFor(isSecure: boolean, proxy: Proxy | undefined): GuardedAgent {
		const id = `${isSecure} ${proxy?.id ?? ''}`;
		const known = this.#agents.get(id);
		if (known !== undefined) return known;
		const {connectTimeoutMs, maxTotalSockets, lookup} = this.#options;
		const Guarded = this.#classFor(isSecure, proxy);
		const agent = new Guarded({
			keepAlive: true,
			maxSockets: MAX_SOCKETS,
			maxTotalSockets,
			maxFreeSockets: MAX_FREE_SOCKETS,
			timeout: FREE_SOCKET_TIMEOUT_MS,
			lookup,
			...(this.#secureContext !== undefined && {secureContext: this.#secureContext}),
		});
		agent.connectTimeoutMs = connectTimeoutMs;
		this.#agents.set(id, agent);
		return agent;
	}

	#classFor(isSecure: boolean, proxy: Proxy | undefined) {
		if (proxy === undefined) return isSecure ? SecureAgent : PlainAgent;
		const options = {proxyLookup: this.#options.proxyLookup, secureContext: this.#secureContext};
		if (isSecure) return guarded(tunnelling(proxy, options), 'secureConnect');
		return guarded(forwarding(proxy, options), proxy.isSecure ? 'secureConnect' : 'connect');
	}
}

interface GuardedAgent extends http.Agent {
	connectTimeoutMs: number;
	/** The latest request made through this agent. */
	started: ClientRequest | undefined;
}

function guarded(
	Base: AgentClass,
	connected: 'connect' | 'secureConnect',
): new (options: https.AgentOptions) => GuardedAgent {
	return class extends Base implements GuardedAgent {
		connectTimeoutMs = 0;
		started: ClientRequest | undefined;
		/** Of requests that may be waiting. */
		readonly #options = new WeakMap<ClientRequest, object>();

		override addRequest(request: ClientRequest, options: object): void {
			this.started = request;
			this.#options.set(request, options);
			super.addRequest(request, options);
			// Kept connections of other hosts count in the bound over all.
			if (this.#isWaitedFor()) Object.values(this.freeSockets).flat()[0]?.destroy();
		}

		override createConnection(options: ClientRequestArgs, callback?: Connected): Duplex | null | undefined {
			const socket = super.createConnection(options, callback);
			if (socket) limitConnect(socket, connected, this.connectTimeoutMs);
			return socket;
		}

		override keepSocketAlive(socket: Duplex): boolean {
			// One that is kept for its host would keep requests to other hosts waiting, once the bound over all is met.
			if (this.#isWaitedFor()) return false;
			// Bytes nobody asked for would be taken for the answer to the next request.
			socket.on('data', destroyThis);
			return super.keepSocketAlive(socket);
		}

		override reuseSocket(socket: Duplex, request: ClientRequest): void {
			socket.off('data', destroyThis);
			super.reuseSocket(socket, request);
		}

		override removeSocket(socket: Duplex, options: object): void {
			super.removeSocket(socket, options);
			this.#startWaiting();
		}

		/** Node starts nobody where who waits first is for a host that has a connection in use, for as long as it has. */
		#startWaiting(): void {
			if (this.totalSocketCount >= this.maxTotalSockets) return;
			const waiting = Object.entries(this.requests).find(
				([name]) => (this.sockets[name]?.length ?? 0) < this.maxSockets,
			);
			if (waiting === undefined) return;
			const [name, requests] = waiting as [string, ClientRequest[]];
			const request = requests.shift();
			if (requests.length === 0) Reflect.deleteProperty(this.requests, name);
			const options = request && this.#options.get(request);
			// That of Node itself: what a subclass does to a request is done.
			if (request && options) PLAIN.addRequest.call(this, request, options);
		}

		#isWaitedFor(): boolean {
			return Object.keys(this.requests).length > 0;
		}
	};
}

const PLAIN = http.Agent.prototype as unknown as Hooks;

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
