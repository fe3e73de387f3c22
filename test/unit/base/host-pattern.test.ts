import test from 'ava';
import {hostNameOf, parseHostPattern} from '../../../src/base/host-pattern.js';
import {parseAddress} from '../../../src/base/ip-address.js';

function matches(pattern: string, host: string): boolean {
	const parsed = parseHostPattern(pattern);
	const name = hostNameOf(new URL(`http://${host}/`));
	const address = parseAddress(name);
	return address === undefined ? parsed.matchesName(name) : parsed.matchesAddress(address);
}

test('a name is that host alone, however it is written', t => {
	for (const host of ['example.org', 'EXAMPLE.org', 'example.org.', 'ex%61mple.org']) {
		t.true(matches('Example.ORG', host), host);
	}

	for (const host of ['a.example.org', 'example.org.uk', 'notexample.org', 'org']) {
		t.false(matches('example.org', host), host);
	}

	t.true(matches('bücher.example', 'xn--bcher-kva.example'));
	t.true(matches('example.org.', 'example.org'));
});

test('a name with a star is all below it, at any depth, and not itself', t => {
	for (const host of ['a.example.org', 'b.a.example.org']) t.true(matches('*.example.org', host), host);
	for (const host of ['example.org', 'aexample.org', 'a.example.org.uk']) t.false(matches('*.example.org', host), host);
});

test('an address is that one in any spelling, and a network all of its addresses', t => {
	for (const host of ['10.0.0.5', '167772165', '0xa.5', '012.0.0.5', '[::ffff:10.0.0.5]', '[::FFFF:a00:5]']) {
		t.true(matches('10.0.0.5', host), host);
		t.true(matches('10.0.0.5/32', host), host);
		t.true(matches('::ffff:10.0.0.5', host), host);
		t.true(matches('10.9.9.9/8', host), host);
		t.true(matches('0.0.0.0/0', host), host);
		t.false(matches('10.0.0.4', host), host);
		t.false(matches('10.0.0.0/30', host), host);
		t.false(matches('::/0', host), host);
	}

	t.true(matches('10.0.0.4/31', '10.0.0.5'));
	t.true(matches('[2001:DB8::]', '[2001:db8:0:0::]'));
	t.true(matches('2001:db8::/33', '[2001:db8:7fff::1]'));
	t.false(matches('2001:db8::/33', '[2001:db8:8000::1]'));
});

test('an address with a zone is that address', t => {
	const address = parseAddress('fe80::1%eth0');
	t.is(address?.text, 'fe80::1');
	t.true(address && parseHostPattern('fe80::/10').matchesAddress(address));
});

test('what is no host is refused with a sentence', t => {
	const wrong = ['', ' ', '*', '*.', '*.*.org', 'a.*', 'http://a.test', 'a.test:80', 'a.test/x', 'me@a.test', 'a b'];
	for (const text of [...wrong, '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::/129', '10.1', '0x7f.1', 'none', '.a']) {
		t.throws(() => parseHostPattern(text), {
			instanceOf: RangeError,
			message: `"${text}" is no host; write for example example.org, *.example.org or 10.0.0.0/8`,
		});
	}
});
