/** IP addresses and networks as bytes, so that one spelling is like another. */
import {isIP} from 'node:net';

/** An address: 4 bytes or 16. One of IPv6 that stands for one of IPv4 (`::ffff:10.0.0.5`) is that one. */
export interface IpAddress {
	readonly bytes: readonly number[];
	/** As it is usually written, without a zone. */
	readonly text: string;
}

/** The addresses whose first `prefix` bits are those of `bytes`. */
export interface IpNetwork {
	readonly bytes: readonly number[];
	readonly prefix: number;
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const MAPPED_BITS = 96;

/** `'10.0.0.5'`, `'fe80::1%eth0'`, `'[::1]'`; undefined for what is no address, or one in decimal or octal. */
export function parseAddress(text: string): IpAddress | undefined {
	const bytes = parseBytes(text);
	if (bytes === undefined) return undefined;
	const plain = isMapped(bytes) ? bytes.slice(MAPPED.length) : bytes;
	return toAddress(plain);
}

/** `'10.0.0.0/8'`, or an address, which is a network of one; undefined for anything else. */
export function parseNetwork(text: string): IpNetwork | undefined {
	const [address = '', length, ...rest] = text.split('/');
	const bytes = parseBytes(address);
	if (bytes === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length ?? '0')) return undefined;
	const bits = bytes.length * 8;
	const prefix = length === undefined ? bits : Number(length);
	if (prefix > bits) return undefined;
	if (!isMapped(bytes) || prefix < MAPPED_BITS) return {bytes, prefix};
	return {bytes: bytes.slice(MAPPED.length), prefix: prefix - MAPPED_BITS};
}

export function contains({bytes, prefix}: IpNetwork, address: IpAddress): boolean {
	if (bytes.length !== address.bytes.length) return false;
	return bytes.every((byte, index) => {
		const bits = Math.min(8, Math.max(0, prefix - index * 8));
		return (byte ^ (address.bytes[index] ?? 0)) >> (8 - bits) === 0;
	});
}

/**
 * Where who connects to this address may end up instead: what one of IPv6 has in
 * it of IPv4, and loopback for the unspecified one, as Linux has it.
 *
 * @see RFC 6052 (NAT64), 3056 (6to4), 4380 (Teredo), 5214 (ISATAP), 4291 section 2.5.5
 */
export function reachedThrough({bytes}: IpAddress): IpAddress[] {
	const isUnspecified = bytes.every(byte => byte === 0);
	if (bytes.length === 4) return isUnspecified ? [toAddress([127, 0, 0, 1])] : [];
	const begins = (...first: number[]) => first.every((byte, index) => bytes[index] === byte);
	const last = bytes.slice(12);
	const zeros = [0, 0, 0, 0, 0, 0, 0, 0];
	const found: number[][] = isUnspecified ? [[...bytes.slice(1), 1]] : [];
	if (begins(...zeros, 0, 0, 0, 0) || begins(...zeros, 0xff, 0xff, 0, 0)) found.push(last);
	if (begins(0, 0x64, 0xff, 0x9b)) found.push(last);
	if (begins(0x20, 0x02)) found.push(bytes.slice(2, 6));
	if (begins(0x20, 0x01, 0, 0))
		found.push(
			bytes.slice(4, 8),
			last.map(byte => byte ^ 0xff),
		); // its server, its client
	const [universal = 0, ...isatap] = bytes.slice(8, 12);
	if ((universal & ~2) === 0 && isatap.join() === '0,94,254') found.push(last);
	return found.map(toAddress);
}

function toAddress(bytes: readonly number[]): IpAddress {
	return {bytes, text: format(bytes)};
}

function parseBytes(text: string): number[] | undefined {
	const [address = ''] = text.replace(/^\[(.*)\]$/, '$1').split('%');
	switch (isIP(address)) {
		case 4:
			return address.split('.').map(Number);
		case 6:
			return expand(new URL(`http://[${address}]/`).hostname.slice(1, -1));
		default:
			return undefined;
	}
}

/** The bytes of an address in the one form that URLs have: hexadecimal, `::` for the zeros. */
function expand(canonical: string): number[] {
	const [head = [], tail = []] = canonical.split('::').map(half => half.split(':').filter(group => group !== ''));
	const zeros = Array<string>(8 - head.length - tail.length).fill('0');
	return [...head, ...zeros, ...tail].flatMap(group => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}

function isMapped(bytes: readonly number[]): boolean {
	return bytes.length === 16 && MAPPED.every((byte, index) => bytes[index] === byte);
}

function format(bytes: readonly number[]): string {
	if (bytes.length === 4) return bytes.join('.');
	const groups = Array.from({length: 8}, (_, i) => ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16));
	return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
