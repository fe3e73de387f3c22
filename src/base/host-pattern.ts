/** What a list of hosts is made of: names, names with all below them, addresses and networks. */
import {contains, parseNetwork, type IpAddress, type IpNetwork} from './ip-address.js';

export interface HostPattern {
	/** As it was written, in lower case. */
	readonly text: string;
	/** Undefined where it is a name. */
	readonly network: IpNetwork | undefined;
	/** Whether it names one host or one address, not several. */
	readonly isExact: boolean;
	/** @param name - as `hostNameOf` gives it. */
	matchesName(name: string): boolean;
	matchesAddress(address: IpAddress): boolean;
}

const NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/**
 * `'example.org'` that host alone, `'*.example.org'` all below it and not itself,
 * `'192.0.2.7'`, `'2001:db8::7'` or `'10.0.0.0/8'` addresses. A name is compared
 * with that in the URL, never resolved.
 *
 * @throws RangeError for anything else.
 */
export function parseHostPattern(written: string): HostPattern {
	const text = written.trim().toLowerCase();
	const network = parseNetwork(text);
	if (network !== undefined) {
		const isExact = network.prefix === network.bytes.length * 8;
		return {text, network, isExact, matchesName: () => false, matchesAddress: address => contains(network, address)};
	}

	const [, wildcard, name = ''] = /^(\*\.)?([^*\s/:@?#\\%[\]]+)$/.exec(text) ?? [];
	const host = URL.canParse(`http://${name}/`) ? hostNameOf(new URL(`http://${name}/`)) : '';
	// A number is an address to a URL: `10.1` is 10.0.0.1, which nobody would guess.
	const isNumber = parseNetwork(host) !== undefined;
	if (!NAME.test(host) || isNumber || host === 'none') {
		throw new RangeError(`"${written}" is no host; write for example example.org, *.example.org or 10.0.0.0/8`);
	}

	const matchesName = (other: string) => (wildcard === undefined ? other === host : other.endsWith(`.${host}`));
	return {text, network: undefined, isExact: wildcard === undefined, matchesName, matchesAddress: () => false};
}

/** The host of a URL: no brackets, and no dot at the end, which says nothing of where it is. */
export function hostNameOf({hostname}: Pick<URL, 'hostname'>): string {
	return hostname
		.replace(/^\[(.*)\]$/, '$1')
		.replace(/\.+$/, '')
		.toLowerCase();
}
