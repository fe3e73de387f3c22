/** Requests that the user did not mean are not made: what may be asked for, by its URL and by each of its addresses. */
import type {LookupAddress} from 'node:dns';
import type {LookupFunction} from 'node:net';
import type {CacheError} from '../base/errors.js';
import {hostNameOf, parseHostPattern, type HostPattern} from '../base/host-pattern.js';
import {reachedThrough, parseAddress, parseNetwork, contains, type IpAddress} from '../base/ip-address.js';
import {redact} from '../base/redact.js';
import {DeniedError} from './denied-error.js';
import {specialNetworkOf} from './special-networks.js';

export interface GuardPolicy {
	/** `public`: no address that is not on the public internet, but those of `allowHosts`. */
	readonly networks: 'all' | 'public';
	/** Where there is one, only what is on it is asked. See `parseHostPattern`. */
	readonly allowHosts: readonly string[];
	/** Never asked, on the other list or not. */
	readonly denyHosts: readonly string[];
	/** The largest body that is fetched; Infinity for any. */
	readonly maxBytes: number;
}

export const DEFAULT_GUARD: GuardPolicy = {networks: 'all', allowHosts: [], denyHosts: [], maxBytes: Infinity};

/** Here machines in a cloud are told their secrets. Some of these are in no special network. */
const METADATA_ADDRESSES = [
	...['169.254.169.254', 'fd00:ec2::254', 'fd20:ce::254'], // AWS, Azure, Google and others
	...['169.254.170.2', '169.254.170.23', 'fd00:ec2::23'], // containers of AWS
	...['100.100.100.200', '192.0.0.192', '168.63.129.16'], // Alibaba, Oracle, Azure
].flatMap(text => parseNetwork(text) ?? []);
const METADATA_HOSTS: ReadonlySet<string> = new Set(['metadata', 'metadata.google.internal']);

/** Why a host, or one of its addresses, is not asked. Whoever knows the URL makes a `CacheError` of it. */
export class Denial extends Error {
	/** @param asked - the URL, redacted. */
	toError(asked: string): CacheError {
		return new DeniedError(`${asked}: denied: ${this.message}`);
	}
}

export class Guard {
	readonly #policy: GuardPolicy;
	readonly #allowed: readonly HostPattern[];
	readonly #denied: readonly HostPattern[];

	/** @throws RangeError for a policy that is none. */
	constructor(policy: Partial<GuardPolicy> = {}) {
		this.#policy = {...DEFAULT_GUARD, ...policy};
		const {networks, allowHosts, denyHosts, maxBytes} = this.#policy;
		if (networks !== 'all' && networks !== 'public') {
			throw new RangeError(`networks is ${String(networks)}, not one of all, public`);
		}

		if (!(maxBytes >= 0)) throw new RangeError(`maxBytes is ${maxBytes}, not a number of 0 or more`);
		this.#allowed = allowHosts.map(parseHostPattern);
		this.#denied = denyHosts.map(parseHostPattern);
	}

	/** See `GuardPolicy.maxBytes`. */
	get maxBytes(): number {
		return this.#policy.maxBytes;
	}

	/**
	 * To be called before each request, redirected ones too. A host that is an
	 * address is decided here; of a name the addresses are still to be checked.
	 *
	 * @throws CacheError `origin-refused`, with the rule.
	 */
	checkUrl(url: URL): void {
		const denial = this.#denialOf(url);
		if (denial !== undefined) throw denial.toError(redact(url.href));
	}

	/**
	 * Whether what `checkUrl` has let pass still depends on its addresses, but for those of metadata services:
	 * where nobody here resolves, as with a proxy, they have to be looked up for this.
	 */
	goesByAddress(url: URL): boolean {
		const host = hostNameOf(url);
		if (parseAddress(host) !== undefined) return false;
		if (this.#denied.some(({network}) => network !== undefined)) return true;
		const isRestricted = this.#policy.networks === 'public' || this.#allowed.length > 0;
		return isRestricted && !this.#allowsName(host);
	}

	/**
	 * To be called with each address before it is connected to.
	 *
	 * @param host - what was resolved.
	 * @throws Denial with the rule.
	 */
	checkAddress(address: string, host: string): void {
		const denial = this.#denialOfAddress(address, hostNameOf({hostname: host}));
		if (denial !== undefined) throw denial;
	}

	/**
	 * Resolves by `resolve`, once, and hands on only what may be connected to. It
	 * fails with a `Denial` where nothing of it may.
	 */
	guarded(resolve: LookupFunction): LookupFunction {
		return (host, options, callback) => {
			resolve(host, options, (error, found, family) => {
				if (error) return callback(error, found, family);
				const addresses = typeof found === 'string' ? [{address: found, family: family ?? 0}] : found;
				const {permitted, denial} = this.#sift(addresses, hostNameOf({hostname: host}));
				const [first] = permitted;
				if (first === undefined && denial !== undefined) callback(denial, '', 4);
				else if (typeof found === 'string' && first !== undefined) callback(null, first.address, first.family);
				else callback(null, permitted);
			});
		};
	}

	#sift(addresses: readonly LookupAddress[], host: string): {permitted: LookupAddress[]; denial: Denial | undefined} {
		const judged = addresses.map(one => ({one, denial: this.#denialOfAddress(one.address, host)}));
		const permitted = judged.filter(({denial}) => denial === undefined).map(({one}) => one);
		return {permitted, denial: judged.find(({denial}) => denial !== undefined)?.denial};
	}

	#denialOf(url: URL): Denial | undefined {
		if (url.protocol !== 'http:' && url.protocol !== 'https:') {
			return new Denial(`it is a ${url.protocol} URL (guard: http and https only)`);
		}

		const host = hostNameOf(url);
		if (parseAddress(host) !== undefined) return this.#denialOfAddress(host, host);
		const denied = this.#denied.find(pattern => pattern.matchesName(host));
		if (denied !== undefined) return new Denial(`${host} is on the deny list (guard: deny-hosts has ${denied.text})`);
		if (METADATA_HOSTS.has(host) && !this.#isNamed(host)) {
			return new Denial(`${host} is a cloud metadata host (guard: allow-hosts does not name it)`);
		}

		// Where networks are allowed, its addresses may be in one of them.
		const mayBeAllowed = this.#allowsName(host) || this.#allowed.some(({network}) => network !== undefined);
		return this.#allowed.length === 0 || mayBeAllowed ? undefined : notAllowed(host);
	}

	#denialOfAddress(text: string, host: string): Denial | undefined {
		const address = parseAddress(text);
		if (address === undefined) return new Denial(`${host} resolves to "${text}", which is no address`);
		const subject =
			address.text === parseAddress(host)?.text ? address.text : `${address.text}, an address of ${host},`;
		const isAllowed = this.#allowsName(host) || this.#allowed.some(pattern => pattern.matchesAddress(address));
		for (const one of [address, ...reachedThrough(address)]) {
			const who = one === address ? subject : `${subject.replace(/,$/, '')}, which leads to ${one.text},`;
			const denial = this.#denialWithin(one, who, host, isAllowed);
			if (denial !== undefined) return denial;
		}

		return this.#allowed.length === 0 || isAllowed ? undefined : notAllowed(subject);
	}

	/** The rule against one address, or against what it leads to. */
	#denialWithin(address: IpAddress, subject: string, host: string, isAllowed: boolean): Denial | undefined {
		const denied = this.#denied.find(pattern => pattern.matchesAddress(address));
		if (denied !== undefined)
			return new Denial(`${subject} is on the deny list (guard: deny-hosts has ${denied.text})`);
		const isMetadata = METADATA_ADDRESSES.some(network => contains(network, address));
		if (isMetadata && !this.#isNamed(host, address)) {
			return new Denial(`${subject} is a cloud metadata address (guard: allow-hosts does not name it)`);
		}

		const special = this.#policy.networks === 'all' || isAllowed ? undefined : specialNetworkOf(address);
		return special === undefined ? undefined : new Denial(`${subject} is ${special} (guard: networks is public)`);
	}

	#allowsName(host: string): boolean {
		return this.#allowed.some(pattern => pattern.matchesName(host));
	}

	/** Whether this metadata service is allowed by itself: a network or another host that leads to it does not do. */
	#isNamed(host: string, address?: IpAddress): boolean {
		return this.#allowed.some(pattern => {
			if (!pattern.isExact) return false;
			if (METADATA_HOSTS.has(host) && pattern.matchesName(host)) return true;
			return address !== undefined && pattern.matchesAddress(address);
		});
	}
}

function notAllowed(subject: string): Denial {
	return new Denial(`${subject} is not on the allow list (guard: allow-hosts)`);
}
