/** Agents whose connections go to a proxy. */
import http, {type ClientRequest, type ClientRequestArgs} from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type {Duplex} from 'node:stream';
import type {AgentClass, Connected} from './agent-class.js';
import type {Proxy} from './proxy.js';
import {Tunnel, type ProxyConnectOptions} from './tunnel.js';

/** For https: TLS with the origin, within a tunnel. */
export function tunnelling(proxy: Proxy, options: ProxyConnectOptions): AgentClass {
	return class extends (https.Agent as unknown as AgentClass) {
		readonly #tunnels = new WeakMap<Duplex, Tunnel>();

		override createConnection(target: ClientRequestArgs, callback?: Connected): Duplex | null | undefined {
			const authority = `${bracketed(target.host ?? '')}:${target.port ?? 443}`;
			const tunnel = new Tunnel(proxy, authority, options, error => secured?.destroy(error));
			const secured = super.createConnection({...target, socket: tunnel} as ClientRequestArgs, callback);
			if (secured) this.#tunnels.set(secured, tunnel);
			return secured;
		}

		// A kept connection must not keep a program running; the origin's socket does not tell the one below it.
		override keepSocketAlive(socket: Duplex): boolean {
			const isKept = super.keepSocketAlive(socket);
			if (isKept) this.#tunnels.get(socket)?.unref();
			return isKept;
		}

		override reuseSocket(socket: Duplex, request: ClientRequest): void {
			this.#tunnels.get(socket)?.ref();
			super.reuseSocket(socket, request);
		}
	};
}

/** For http: the proxy is asked for the whole URL (RFC 9112 section 3.2.2). */
export function forwarding(proxy: Proxy, {proxyLookup: lookup, secureContext}: ProxyConnectOptions): AgentClass {
	const {host, port, isSecure, servername, headers} = proxy;
	return class extends (http.Agent as unknown as AgentClass) {
		override addRequest(request: ClientRequest, options: object): void {
			request.path = `http://${String(request.getHeader('host'))}${request.path}`;
			for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
			super.addRequest(request, options);
		}

		override createConnection(target: ClientRequestArgs): Duplex {
			const to = {...target, host, port, lookup};
			if (!isSecure) return net.connect(to as net.TcpNetConnectOpts);
			return tls.connect({
				...to,
				servername,
				...(secureContext !== undefined && {secureContext}),
			} as tls.ConnectionOptions);
		}
	};
}

function bracketed(host: string): string {
	return net.isIPv6(host) ? `[${host}]` : host;
}
