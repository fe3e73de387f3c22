import test from 'ava';
import {parseNetrc} from '../../../src/http/netrc.js';

test('an entry may be on one line or on many, and an account says nothing', t => {
	const {machines, problems} = parseNetrc(
		'machine a.test login ann password one\nmachine\n\tB.test\n  login bob\n account x\r\n password two\n',
	);
	t.deepEqual(Object.fromEntries(machines), {
		'a.test': {username: 'ann', password: 'one'},
		'b.test': {username: 'bob', password: 'two'},
	});
	t.deepEqual(problems, []);
});

test('default is for any other host', t => {
	t.deepEqual(parseNetrc('default login any password 1\n').fallback, {username: 'any', password: '1'});
	t.is(parseNetrc('machine a.test login ann password one').fallback, undefined);
});

test('quotes hold spaces, and a backslash within them the next letter', t => {
	const {machines} = parseNetrc(String.raw`machine a.test login "an n" password "a \"b\" \\ \t #"`);
	t.deepEqual(machines.get('a.test'), {username: 'an n', password: 'a "b" \\ \t #'});
});

test('a macro up to its empty line, and lines of comment, say nothing', t => {
	const {machines, problems} = parseNetrc(
		[
			'# machine no.test login x password y',
			'machine a.test login ann password #one macdef init',
			'machine m.test login mac password ro',
			'',
			'machine b.test login bob password two',
		].join('\n'),
	);
	t.deepEqual([...machines.keys()], ['a.test', 'b.test']);
	t.is(machines.get('a.test')?.password, '#one');
	t.deepEqual(problems, []);
});

test('of several entries for one host the first counts, and one without a login does not', t => {
	const {machines} = parseNetrc('machine a.test\nmachine a.test login 1 password x\nmachine a.test login 2 password y');
	t.deepEqual(machines.get('a.test'), {username: '1', password: 'x'});
});

test('what cannot be read is told by its line, and the rest holds', t => {
	const {machines, problems} = parseNetrc(
		'login lost\nmachine a.test login ann password "open\nfoo bar\nmachine b.test login bob password two\nmachine',
	);
	t.deepEqual(problems, [1, 2, 3, 5]);
	t.deepEqual(machines.get('b.test'), {username: 'bob', password: 'two'});
});

test('words are keywords in any case', t => {
	const {machines, fallback} = parseNetrc(
		'machine a.test login ann password one\nMACHINE b.test LOGIN bob Password two\nDefault login any password 3\nMacdef x\nlogin m\n',
	);
	t.deepEqual(Object.fromEntries(machines), {
		'a.test': {username: 'ann', password: 'one'},
		'b.test': {username: 'bob', password: 'two'},
	});
	t.deepEqual(fallback, {username: 'any', password: '3'});
});

test('what cannot be read of one machine does not become the login of the one before', t => {
	for (const broken of ['machine "b.test', 'machin b.test', 'mach"ine b.test']) {
		const {machines, problems} = parseNetrc(
			`machine a.test login ann\n${broken}\n login bob\n password two\nmachine c.test login cy password three`,
		);
		t.deepEqual(machines.get('a.test'), {username: 'ann', password: ''}, broken);
		t.deepEqual(machines.get('c.test'), {username: 'cy', password: 'three'}, broken);
		t.deepEqual(problems, [2], broken);
	}
});

test('an empty file has no logins', t => {
	t.deepEqual(parseNetrc(''), {machines: new Map(), fallback: undefined, problems: []});
});
