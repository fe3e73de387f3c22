/**
 * Importing this keeps the process on loopback: whatever is connected to
 * anywhere else, be it that a guard is broken, is noted and refused before a
 * packet is sent, and no name is looked up.
 */
import net, {type LookupFunction, type NetConnectOpts, type Socket} from 'node:net';

/** Addresses, or names that the system was to resolve, in the order in which they were connected to; those on loopback too. */
export const tried: string[] = [];
/** Of another address than loopback: the one on loopback that plays it. */
export const playedBy = new Map<string, string>();

const LOOPBACK = new net.BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

// eslint-disable-next-line @typescript-eslint/unbound-method -- called with its `this` below
const connect = net.Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket;

net.Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
	// What `net.connect` passes on is an array of its own: the options, and who is called back.
	const [first] = args;
	const options = (Array.isArray(first) ? (first as unknown[])[0] : first) as Partial<NetConnectOpts>;
	const {host, lookup = notAsked} = options as {host?: string; lookup?: LookupFunction};
	if (host === undefined) return connect.apply(this, args);
	const address = net.isIP(host) === 0 ? undefined : through(host);
	if (address !== undefined) Object.assign(options, {host: address});
	else if (net.isIP(host) === 0) Object.assign(options, {lookup: heeding(lookup)});
	// To refuse it at once would be an error before anybody listens.
	else Object.assign(options, {host: 'nowhere.invalid', lookup: noResolver(host)});
	return connect.apply(this, args);
};

/** Where on loopback an address is to be connected to; undefined for nowhere. */
function through(address: string): string | undefined {
	tried.push(address);
	const family = net.isIPv6(address) ? 'ipv6' : 'ipv4';
	return LOOPBACK.check(address.replace(/%.*/, ''), family) ? address : playedBy.get(address);
}

/** In the place of the system's resolver. */
const notAsked: LookupFunction = (host, options, callback) => {
	tried.push(host);
	noResolver(host)(host, options, callback);
};

function noResolver(host: string): LookupFunction {
	return (_host, _options, callback) => process.nextTick(callback, noWay(host), '', 4);
}

/** The same addresses as `lookup` finds, as far as they may be connected to. */
function heeding(lookup: LookupFunction): LookupFunction {
	return (host, options, callback) => {
		lookup(host, options, (error, found, family) => {
			if (error) return callback(error, found, family);
			if (typeof found === 'string') {
				const address = through(found);
				return address === undefined ? callback(noWay(found), '', 4) : callback(null, address, net.isIP(address));
			}

			const addresses = found.flatMap(one => through(one.address) ?? []);
			if (addresses.length === 0) return callback(noWay(host), '', 4);
			callback(
				null,
				addresses.map(address => ({address, family: net.isIP(address)})),
			);
		});
	};
}

function noWay(host: string): NodeJS.ErrnoException {
	return Object.assign(new Error(`connect ECONNREFUSED ${host}: a test stays on loopback`), {code: 'ECONNREFUSED'});
}
