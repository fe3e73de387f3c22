import test from 'ava';
import fc from 'fast-check';
import {inodeNumber, listedName, MAX_LISTED_NAME_BYTES, urlOf} from '../../../src/fs/names.js';

test('a listed name is one path component that leads back to its URL', t => {
	const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
	t.log(`SEED=${seed}`);
	const property = fc.property(
		fc.oneof(
			fc.webUrl({withQueryParameters: true, withFragments: true}),
			fc.string({unit: 'binary'}).map(text => `https://a.example/${text}`),
		),
		url => {
			const name = listedName(url, false);
			if (name === undefined) return;
			t.is(urlOf(name), url);
			t.notRegex(name, /[/\0]/);
			t.true(Buffer.byteLength(name) <= MAX_LISTED_NAME_BYTES);
		},
	);
	fc.assert(property, {seed, numRuns: 1000});
	t.pass();
});

test('any spelling that decodes to a URL is that URL, as it was given', t => {
	const spellings = {
		'https%3A%2F%2Fa.example%2Fx': 'https://a.example/x',
		'https:%2F%2Fa.example%2Fx': 'https://a.example/x',
		'HTTPS%3a%2f%2fA.example%2f..%2fx': 'HTTPS://A.example/../x',
		'http%3A%2F%2Fa.example': 'http://a.example',
		'https%3A%2F%2Fa.example%2F%25%C3%BC': 'https://a.example/%ü',
		'https%3A%2F%2Fme%3Apw%40a.example': 'https://me:pw@a.example',
	};
	for (const [name, url] of Object.entries(spellings)) t.is(urlOf(name), url, name);
});

test('what is no absolute http or https URL is no name', t => {
	const names = [
		'',
		'x',
		'.Trash',
		'https',
		'https%3A',
		'https%3A%2F%2F',
		'https%3Aa.example',
		'file%3A%2F%2F%2Fetc',
		'ftp%3A%2F%2Fa',
	];
	const broken = [
		'https%3A%2F%2Fa.example%2F%ff',
		'https%3A%2F%2Fa.example%2F%',
		'https%3A%2F%2Fa b',
		'https:%2F%2Fa.example%2F\ud800',
	];
	for (const name of [...names, ...broken]) t.is(urlOf(name), undefined, name);
});

test('credentials are never listed, queries not to other users, nor names that are too long', t => {
	t.is(listedName('https://me:pw@a.example/x', false), undefined);
	t.is(listedName('https://token@a.example/x', false), undefined);
	t.not(listedName('https://a.example/x?q=1', false), undefined);
	t.is(listedName('https://a.example/x?q=1', true), undefined);
	t.not(listedName('https://a.example/x', true), undefined);
	const longest = 'https://a.example/'.padEnd(MAX_LISTED_NAME_BYTES - 8, 'x');
	t.is(listedName(longest, false)?.length, MAX_LISTED_NAME_BYTES);
	t.is(listedName(`${longest}x`, false), undefined);
	t.is(listedName('file:///etc/passwd', false), undefined);
});

test('credentials are not listed either where the URL standard overlooks what is odd before them', t => {
	for (const url of ['https:///me:pw@a.example/x', 'https://\\me:pw@a.example/x'])
		t.is(listedName(url, false), undefined, url);
});

test('an inode number is the same for the same key, within 32 bits, and none of those with a meaning', t => {
	t.is(inodeNumber('ab'.repeat(32)), 0xab_ab_ab_ab);
	t.is(inodeNumber('f'.repeat(64)), 0xff_ff_ff_ff);
	for (const first of ['0', '1']) t.is(inodeNumber(`0000000${first}`.padEnd(64, 'f')), 2);
});
