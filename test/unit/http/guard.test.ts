import test from 'ava';
import {messageOf} from '../../../src/base/errors.js';
import {Denial, Guard, type GuardPolicy} from '../../../src/http/guard.js';

/** Why a URL is denied, up to what it is for; `allowed` if it is not. */
function urlOf(url: string, policy: Partial<GuardPolicy>): string {
	try {
		new Guard(policy).checkUrl(new URL(url));
		return 'allowed';
	} catch (error) {
		return messageOf(error).replace(/^.*?: denied: /, '');
	}
}

/** The same of one address of a host. */
function addressOf(address: string, policy: Partial<GuardPolicy>, host = 'a.test'): string {
	try {
		new Guard(policy).checkAddress(address, host);
		return 'allowed';
	} catch (error) {
		if (!(error instanceof Denial)) throw error;
		return error.message;
	}
}

/** Addresses by what they are. No connection is made to any. */
const SPECIAL: Record<string, readonly string[]> = {
	'the unspecified address': ['0.0.0.0', '::'],
	'in "this network"': ['0.1.2.3'],
	'a loopback address': ['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1'],
	'in a private network': ['10.0.0.0', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1', '::ffff:a00:1'],
	'in a network behind carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
	'a link-local address': ['169.254.1.1', 'fe80::1', 'febf::1', 'fe80::1%eth0'],
	'a unique local address': ['fc00::1', 'fd12:3456::1'],
	'a site-local address': ['fec0::1'],
	'the broadcast address': ['255.255.255.255'],
	'a multicast address': ['224.0.0.1', '239.255.255.255', 'ff02::1'],
	'in a network for documentation': ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
	'in a network for benchmarks': ['198.18.0.1', '198.19.255.255', '2001:2::1'],
	'in a local NAT64 network': ['64:ff9b:1::808:808'],
	'in a reserved network': ['192.0.0.8', '192.88.99.1', '240.0.0.1', '2001:10::1', '100::1', '5f00::1', '4000::1'],
};

const PUBLIC = [
	...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
	...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255', '192.169.0.0'],
	...['198.17.255.255', '198.20.0.0', '223.255.255.255', '2606:4700::1111', '2a00:1450::1', '::ffff:8.8.8.8'],
	...['64:ff9b::808:808', '2002:808:808::1', '2001:0:808:808::f7f7:f7f7'],
];

test('with public, what is not on the public internet is denied, with what it is', t => {
	for (const [what, addresses] of Object.entries(SPECIAL)) {
		for (const address of addresses) {
			const denial = addressOf(address, {networks: 'public'});
			t.regex(denial, /^\S+, an address of a\.test, is /, address);
			t.true(denial.endsWith(` is ${what} (guard: networks is public)`), `${address}: ${denial}`);
			t.is(addressOf(address, {networks: 'all'}), 'allowed', address);
		}
	}

	for (const address of PUBLIC) t.is(addressOf(address, {networks: 'public'}), 'allowed', address);
});

test('an address that leads to another one is as that one', t => {
	const forms = {
		'2002:a00:5::1': '10.0.0.5',
		'64:ff9b::a00:5': '10.0.0.5',
		'2001:0:808:808::f5ff:fffa': '10.0.0.5',
		'2001:0:a00:5::f7f7:f7f7': '10.0.0.5',
		'2606:4700::5efe:a00:5': '10.0.0.5',
	};
	for (const [address, inner] of Object.entries(forms)) {
		const denial = addressOf(address, {networks: 'public'});
		t.regex(denial, new RegExp(`, which leads to ${inner}, is in a private network \\(guard: networks is public\\)$`));
		t.is(addressOf(address, {denyHosts: ['10.0.0.0/8']}).split(' (')[1], 'guard: deny-hosts has 10.0.0.0/8)', address);
	}

	const loopback = {denyHosts: ['127.0.0.0/8', '::1']};
	t.regex(urlOf('http://0/', loopback), /^0\.0\.0\.0, which leads to 127\.0\.0\.1, is on the deny list/);
	t.regex(urlOf('http://[::]/', loopback), /^::, which leads to ::1, is on the deny list/);
	t.regex(addressOf('64:ff9b::a9fe:a9fe', {}), /which leads to 169\.254\.169\.254, is a cloud metadata address/);
});

test('a URL is denied by its address in every spelling, and the message has neither query nor credentials', t => {
	const hosts = [
		'10.0.0.5',
		'167772165',
		'0xa.0.0.5',
		'012.0.0.5',
		'10.5',
		'10.0.0.5.',
		'[::ffff:10.0.0.5]',
		'①0.0.0.5',
	];
	for (const host of hosts) {
		const check = () => new Guard({networks: 'public'}).checkUrl(new URL(`http://me:pw@${host}/x?token=1#f`));
		const message = t.throws(check, {code: 'origin-refused'}, host).message;
		t.regex(message, /^http:\/\/\S+\/x: denied: 10\.0\.0\.5 is in a private network \(guard: networks is public\)$/);
	}
});

test('other schemes than http and https are denied', t => {
	for (const url of ['file:///etc/passwd', 'ftp://a.test/', 'data:,x']) {
		t.regex(urlOf(url, {}), /^it is a \w+: URL \(guard: http and https only\)$/);
	}
});

const METADATA = ['169.254.169.254', '169.254.170.2', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254'];

test('cloud metadata is denied on all networks unless it is named itself', t => {
	for (const address of METADATA) {
		const host = address.includes(':') ? `[${address}]` : address;
		const denial = `${address} is a cloud metadata address (guard: allow-hosts does not name it)`;
		t.is(urlOf(`http://${host}/`, {networks: 'all'}), denial);
		t.regex(addressOf(address, {networks: 'all'}), /an address of a\.test, is a cloud metadata address/);
		const wide = ['a.test', '*.test', '0.0.0.0/0', '::/0'];
		t.regex(addressOf(address, {networks: 'all', allowHosts: wide}), /is a cloud metadata address/);
		t.is(urlOf(`http://${host}/`, {networks: 'public', allowHosts: [address]}), 'allowed');
		t.regex(urlOf(`http://${host}/`, {allowHosts: [address], denyHosts: [address]}), /is on the deny list/);
	}
});

test('the names of cloud metadata are denied as well, and naming one allows its address', t => {
	for (const host of ['metadata', 'metadata.google.internal']) {
		const denial = `${host} is a cloud metadata host (guard: allow-hosts does not name it)`;
		t.is(urlOf(`http://${host}/`, {}), denial);
		t.is(urlOf(`http://${host.toUpperCase()}./`, {allowHosts: ['*.google.internal', '0.0.0.0/0']}), denial);
		t.is(urlOf(`http://${host}/`, {allowHosts: [host]}), 'allowed');
		t.is(addressOf('169.254.169.254', {allowHosts: [host]}, host), 'allowed');
	}
});

test('where there is an allow list only what is on it is allowed, in any network', t => {
	const policy = {networks: 'public', allowHosts: ['a.test', '*.b.test']} as const;
	for (const host of ['a.test', 'x.b.test']) {
		t.is(urlOf(`http://${host}/`, policy), 'allowed');
		t.is(addressOf('10.0.0.5', policy, host), 'allowed');
	}

	for (const host of ['c.test', 'b.test', '8.8.8.8']) {
		t.is(urlOf(`http://${host}/`, policy), `${host} is not on the allow list (guard: allow-hosts)`);
	}
});

test('a name may be allowed by its addresses, and then only those are', t => {
	const policy = {networks: 'public', allowHosts: ['10.0.0.0/24']} as const;
	t.is(urlOf('http://a.test/', policy), 'allowed');
	t.is(addressOf('10.0.0.5', policy), 'allowed');
	t.regex(addressOf('10.0.1.5', policy), /in a private network/);
	t.is(addressOf('8.8.8.8', policy), '8.8.8.8, an address of a.test, is not on the allow list (guard: allow-hosts)');
});

test('the deny list beats the allow list, by name and by address', t => {
	const policy = {allowHosts: ['*.test', '10.0.0.0/8'], denyHosts: ['a.test', '10.0.0.5']};
	t.is(urlOf('http://a.test./', policy), 'a.test is on the deny list (guard: deny-hosts has a.test)');
	t.is(urlOf('http://b.test/', policy), 'allowed');
	t.is(urlOf('http://10.5/', policy), '10.0.0.5 is on the deny list (guard: deny-hosts has 10.0.0.5)');
	t.regex(addressOf('::ffff:10.0.0.5', policy, 'b.test'), /^10\.0\.0\.5, an address of b\.test, is on the deny list/);
	t.is(addressOf('10.0.0.6', policy, 'b.test'), 'allowed');
});

test('what a resolver says that is no address is denied', t => {
	t.is(addressOf('example.org', {}), 'a.test resolves to "example.org", which is no address');
});

test('a policy that is none is refused when the guard is made', t => {
	t.throws(() => new Guard({networks: 'some' as 'all'}), {instanceOf: RangeError});
	t.throws(() => new Guard({maxBytes: -1}), {instanceOf: RangeError});
	t.throws(() => new Guard({maxBytes: Number.NaN}), {instanceOf: RangeError});
	t.throws(() => new Guard({denyHosts: ['http://a.test/']}), {instanceOf: RangeError});
});
