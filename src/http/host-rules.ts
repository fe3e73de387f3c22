/** What each request carries besides what was asked for: headers, cookies and logins that belong to its host alone. */
import {hostNameOf} from '../base/host-pattern.js';
import {parseHostSelector, type FreshnessRule, type HostRule, type HostSelector} from '../base/host-rule.js';
import type {Log} from '../base/log.js';
import {NO_NETRC, type Netrc} from './netrc.js';

export interface HostRulesOptions {
	readonly hosts?: readonly HostRule[] | undefined;
	/** Called when a login is first looked for there. */
	readonly netrc?: (() => Netrc) | undefined;
	/** Where no rule says another one. */
	readonly userAgent: string;
}

type Headers = Readonly<Record<string, string>>;
type Rule = HostRule & {readonly selector: HostSelector};

/** Hosts of which it was said that their secrets are kept back; who was told first is told again first. */
const MAX_WARNED = 1_000;

/**
 * All rules that match a URL count, and of what two of them say the one that says more exactly who is meant:
 * an origin before a host, a host before a pattern, a longer pattern before a shorter one; else the later one.
 *
 * Secrets (all but `userAgent`, `freshness` and `streamUnknown`) go over https, and over http to whom a rule names as an origin.
 */
export class HostRules {
	/** The most exact last. */
	readonly #rules: readonly Rule[];
	readonly #hasFreshness: boolean;
	readonly #hasStreams: boolean;
	readonly #readNetrc: () => Netrc;
	#netrc: Netrc | undefined;
	readonly #userAgent: string;
	readonly #warned = new Set<string>();

	/** @throws RangeError for a host that is none. */
	constructor(
		{hosts = [], netrc = () => NO_NETRC, userAgent}: HostRulesOptions,
		private readonly log: Log,
	) {
		const rules = hosts.map(rule => ({...rule, selector: parseHostSelector(rule.host)}));
		this.#rules = rules.sort((a, b) => a.selector.exactness - b.selector.exactness);
		this.#hasFreshness = rules.some(({freshness}) => freshness !== undefined);
		this.#hasStreams = rules.some(({streamUnknown}) => streamUnknown !== undefined);
		this.#readNetrc = netrc;
		this.#userAgent = userAgent;
	}

	/** What a rule says of how long what is stored from there counts; undefined where none does. */
	freshnessOf(url: string): FreshnessRule | undefined {
		// It is asked for each open.
		if (!this.#hasFreshness || !URL.canParse(url)) return undefined;
		return this.#matching(new URL(url)).findLast(({freshness}) => freshness !== undefined)?.freshness;
	}

	/** What a rule says of whether bodies of unknown length from there are read while they come; undefined where none does. */
	streamUnknownOf(url: string): boolean | undefined {
		if (!this.#hasStreams || !URL.canParse(url)) return undefined;
		return this.#matching(new URL(url)).findLast(({streamUnknown}) => streamUnknown !== undefined)?.streamUnknown;
	}

	/**
	 * The headers of one request. To be asked anew for each redirect, so that nothing of one host goes to another.
	 *
	 * @param own - what is sent in any case, by lower-case name; it goes before what the rules say.
	 */
	headersFor(url: URL, own: Headers): Headers {
		const rules = this.#matching(url);
		const permitted = rules.filter(({selector}) => selector.isOrigin || url.protocol === 'https:');
		if (rules.some(rule => hasSecrets(rule) && !permitted.includes(rule))) this.#warn(url);
		const cookies = Object.entries(merged(permitted.map(({cookies}) => cookies)));
		const headers: Headers = {
			'user-agent': rules.findLast(({userAgent}) => userAgent !== undefined)?.userAgent ?? this.#userAgent,
			...merged(permitted.map(rule => rule.headers)),
			...(cookies.length > 0 && {cookie: cookies.map(([name, value]) => `${name}=${value}`).join('; ')}),
			...own,
		};
		const login = headers['authorization'] === undefined ? this.#loginFor(url, permitted) : undefined;
		return login === undefined ? headers : {...headers, authorization: login};
	}

	#matching(url: URL): Rule[] {
		return this.#rules.filter(({selector}) => selector.matches(url));
	}

	/** Basic (RFC 7617), of the netrc file. */
	#loginFor(url: URL, rules: readonly Rule[]): string | undefined {
		const isAsked = rules.findLast(({netrc}) => netrc !== undefined)?.netrc ?? url.protocol === 'https:';
		if (!isAsked) return undefined;
		const {machines, fallback} = (this.#netrc ??= this.#readNetrc());
		const login = machines.get(hostNameOf(url)) ?? fallback;
		return login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
	}

	#warn({host}: URL): void {
		if (this.#warned.has(host)) return;
		if (this.#warned.size >= MAX_WARNED) this.#warned.clear();
		this.#warned.add(host);
		this.log.warn('what the setting hosts has for a host is a secret, and is not sent over http', {
			host,
			toSendItAllTheSame: `name it http://${host} there`,
		});
	}
}

function hasSecrets({headers = {}, cookies = {}}: HostRule): boolean {
	return Object.keys(headers).length + Object.keys(cookies).length > 0;
}

function merged(parts: ReadonlyArray<Headers | undefined>): Headers {
	return Object.assign({}, ...parts) as Headers;
}
