/** Addresses that are not on the public internet, by what they are. */
import {contains, parseNetwork, type IpAddress, type IpNetwork} from '../base/ip-address.js';

/**
 * What is here before what contains it.
 *
 * @see the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890)
 */
const NETWORKS: ReadonlyArray<readonly [name: string, ...networks: string[]]> = [
	['the unspecified address', '0.0.0.0', '::'],
	['in "this network"', '0.0.0.0/8'],
	['a loopback address', '127.0.0.0/8', '::1'],
	['in a private network', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
	['in a network behind carrier-grade NAT', '100.64.0.0/10'],
	['a link-local address', '169.254.0.0/16', 'fe80::/10'],
	['a unique local address', 'fc00::/7'],
	['a site-local address', 'fec0::/10'],
	['the broadcast address', '255.255.255.255'],
	['a multicast address', '224.0.0.0/4', 'ff00::/8'],
	['in a network for documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
	['in a network for benchmarks', '198.18.0.0/15', '2001:2::/48'],
	['in a local NAT64 network', '64:ff9b:1::/48'],
	['in a reserved network', '192.0.0.0/24', '192.88.99.0/24', '240.0.0.0/4'],
];

/** Of these what is inside decides, see `reachedThrough`. */
const TRANSLATED = networks('64:ff9b::/96', '2001::/32', '2002::/16');
const RESERVED = networks('2001::/23');
/** All of IPv6 that is given out. */
const GLOBAL = networks('2000::/3');

const SPECIAL = NETWORKS.map(([name, ...texts]) => ({name, of: networks(...texts)}));

/** What an address is, for a sentence (`10.0.0.5 is …`); undefined for one of the public internet. */
export function specialNetworkOf(address: IpAddress): string | undefined {
	const isIn = (list: readonly IpNetwork[]) => list.some(network => contains(network, address));
	const special = SPECIAL.find(({of}) => isIn(of));
	if (special !== undefined) return special.name;
	if (address.bytes.length === 4 || isIn(TRANSLATED)) return undefined;
	return isIn(RESERVED) || !isIn(GLOBAL) ? 'in a reserved network' : undefined;
}

function networks(...texts: readonly string[]): IpNetwork[] {
	return texts.map(text => {
		const network = parseNetwork(text);
		if (network === undefined) throw new RangeError(`${text} is no network`);
		return network;
	});
}
