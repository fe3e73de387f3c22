/** Which proxy a request goes through, and what the guard has to say to that. */
import {isIP, type LookupFunction} from 'node:net';
import {abortable} from '../base/abort.js';
import {CacheError, messageOf} from '../base/errors.js';
import {hostNameOf} from '../base/host-pattern.js';
import {redact} from '../base/redact.js';
import {Denial, type Guard} from './guard.js';
import {TransientError} from './retry.js';

/** A proxy of http or https. */
export interface Proxy {
	/** Tells it from others. Holds its credentials: not to be shown. */
	readonly id: string;
	/** Host and port, to be shown. */
	readonly name: string;
	readonly host: string;
	readonly port: number;
	/** Whether TLS is spoken with the proxy itself. */
	readonly isSecure: boolean;
	/** Whose certificate it must have: its name, `''` for an address. Node would take it from the `Host` header. */
	readonly servername: string;
	/** What it is told of who asks: `proxy-authorization`, if anything. */
	readonly headers: Readonly<Record<string, string>>;
}

const PASSING: ReadonlySet<number> = new Set([502, 503, 504]);

/** A proxy did not let a request through. Whoever knows the URL makes a `CacheError` of it. */
export class ProxyRefusal extends Error {
	constructor(
		proxy: Proxy,
		readonly status: number,
	) {
		const authorized = 'proxy-authorization' in proxy.headers;
		const why = authorized ? 'it does not take the credentials in its URL' : 'it asks for credentials, in its URL';
		super(`the proxy ${proxy.name} answered with status ${status}${status === 407 ? `: ${why}` : ''}`);
	}

	/** Whether it may have been the origin that was not there; else asking again is of no use. */
	get isPassing(): boolean {
		return PASSING.has(this.status);
	}

	/** @param asked - the URL, redacted. */
	toError(asked: string): CacheError {
		const message = `${asked} could not be asked for: ${this.message}`;
		const Kind = this.isPassing ? TransientError : CacheError;
		return new Kind('origin-unreachable', message, {cause: this});
	}
}

export interface ProxiesOptions {
	/** The URL of the proxy for a URL; `''` for none. */
	readonly proxyFor?: ((url: string) => string) | undefined;
	readonly guard: Guard;
	/** Resolves as sockets would, without the guard. */
	readonly lookup: LookupFunction;
	/** For resolving. */
	readonly timeoutMs: number;
}

export class Proxies {
	constructor(private readonly options: ProxiesOptions) {}

	/**
	 * @returns undefined where the origin is to be asked itself.
	 * @throws CacheError `origin-unreachable` for a proxy that cannot be spoken to.
	 */
	of(url: URL): Proxy | undefined {
		const written = this.options.proxyFor?.(url.href) ?? '';
		if (written === '') return undefined;
		const proxy = parseProxy(written);
		if (proxy === undefined) {
			const what = 'could not be asked for: its proxy is no http or https URL';
			throw new CacheError('origin-unreachable', `${redact(url.href)} ${what}`);
		}

		return proxy;
	}

	/**
	 * A proxy resolves the names it is asked for. Where the guard goes by addresses, they are looked at here before;
	 * what the proxy finds may be something else.
	 *
	 * @throws CacheError `origin-refused` for a name with an address that is denied, or that has none here.
	 */
	async check(url: URL, signal: AbortSignal): Promise<void> {
		const {guard} = this.options;
		if (!guard.goesByAddress(url)) return;
		const host = hostNameOf(url);
		try {
			for (const address of await this.#resolve(host, signal)) guard.checkAddress(address, host);
		} catch (error) {
			signal.throwIfAborted();
			const unknown = `${host} cannot be resolved here, so nobody knows where the proxy leads (guard: it goes by address)`;
			const denial = error instanceof Denial ? error : new Denial(`${unknown}: ${messageOf(error)}`);
			throw denial.toError(redact(url.href));
		}
	}

	async #resolve(host: string, signal: AbortSignal): Promise<string[]> {
		const {lookup, timeoutMs} = this.options;
		const resolved = new Promise<string[]>((resolve, reject) => {
			const late = setTimeout(() => reject(new Error('the resolver does not answer')), timeoutMs);
			lookup(host, {all: true}, (error, found) => {
				clearTimeout(late);
				if (error) return reject(error);
				const addresses = typeof found === 'string' ? [found] : found.map(({address}) => address);
				if (addresses.length > 0) resolve(addresses);
				else reject(new Error('it has no address'));
			});
		});
		return abortable(resolved, signal);
	}
}

/** Undefined for what is none. Without a scheme it is one of http, as curl has it. */
function parseProxy(written: string): Proxy | undefined {
	const text = written.includes('://') ? written : `http://${written}`;
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return undefined;
	const {username, password, hostname, host: name, port} = url;
	const isSecure = url.protocol === 'https:';
	const host = hostname.replace(/^\[(.*)\]$/, '$1');
	const credentials = `${decoded(username)}:${decoded(password)}`;
	return {
		...{id: url.href, name, isSecure},
		...{host, servername: isIP(host) === 0 ? host : ''},
		port: Number(port) || (isSecure ? 443 : 80),
		headers: credentials === ':' ? {} : {'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}`},
	};
}

function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}
