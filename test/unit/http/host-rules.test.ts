import test from 'ava';
import type {HostRule} from '../../../src/base/host-rule.js';
import type {Fields, Log} from '../../../src/base/log.js';
import {NO_LOG} from '../../../src/base/log.js';
import {HostRules} from '../../../src/http/host-rules.js';
import {parseNetrc} from '../../../src/http/netrc.js';

const NETRC = parseNetrc('machine a.test login ann password one\ndefault login any password 1');

function rulesOf(hosts: readonly HostRule[], {netrc = false, log = NO_LOG}: {netrc?: boolean; log?: Log} = {}) {
	const rules = new HostRules({hosts, userAgent: 'larder', ...(netrc && {netrc: () => NETRC})}, log);
	return {
		headers: (url: string, own: Record<string, string> = {}) => rules.headersFor(new URL(url), own),
		freshness: (url: string) => rules.freshnessOf(url),
		streamUnknown: (url: string) => rules.streamUnknownOf(url),
	};
}

function basic(credentials: string): string {
	return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

test('a host has what its rule says, and no other host has', t => {
	const rule = {host: 'a.test', userAgent: 'me', headers: {'x-key': '1'}, cookies: {b: '2', c: '3'}};
	const {headers} = rulesOf([rule]);
	t.deepEqual(headers('https://a.test/'), {'user-agent': 'me', 'x-key': '1', 'cookie': 'b=2; c=3'});
	t.deepEqual(headers('https://A.test.:8443/'), {'user-agent': 'me', 'x-key': '1', 'cookie': 'b=2; c=3'});
	for (const other of ['https://b.test/', 'https://x.a.test/', 'https://a.test.evil/', 'https://xa.test/']) {
		t.deepEqual(headers(other), {'user-agent': 'larder'});
	}
});

test('of all rules that match, the one that says more exactly who is meant goes before', t => {
	const rule = (host: string, value: string) => ({host, headers: {'x-key': value, [`x-${value}`]: '1'}});
	const hosts = [
		rule('https://c.b.a.test', 'origin'),
		rule('c.b.a.test', 'host'),
		rule('*.b.a.test', 'long'),
		rule('*.a.test', 'short'),
	];
	for (const order of [hosts, [...hosts].reverse()]) {
		const {headers} = rulesOf(order);
		const all = headers('https://c.b.a.test/');
		t.is(all['x-key'], 'origin');
		t.is(Object.keys(all).length, 6, 'and of the others what it does not say');
		t.is(headers('https://c.b.a.test:444/')['x-key'], 'host');
		t.is(headers('https://d.b.a.test/')['x-key'], 'long');
		t.is(headers('https://d.a.test/')['x-key'], 'short');
	}
});

test('networks match addresses in URLs, the smaller one first', t => {
	const {freshness} = rulesOf([
		{host: '10.1.0.0/16', freshness: 2},
		{host: '10.0.0.0/8', freshness: 1},
		{host: '10.1.2.3', freshness: 'http'},
	]);
	t.deepEqual(
		['10.1.2.3', '10.1.2.4', '10.2.0.1', '11.0.0.1', 'ten.test'].map(host => freshness(`http://${host}/`)),
		['http', 2, 1, undefined, undefined],
	);
});

test('whether a host is streamed is said by the most exact rule that says so; else by none', t => {
	const {streamUnknown} = rulesOf([
		{host: 'c.b.test', streamUnknown: false},
		{host: '*.b.test', streamUnknown: true},
		{host: 'd.b.test', userAgent: 'me'},
	]);
	const hosts = ['c.b.test', 'd.b.test', 'e.b.test', 'b.test'];
	t.deepEqual(
		hosts.map(host => streamUnknown(`http://${host}/`)),
		[false, true, true, undefined],
	);
	t.is(streamUnknown('no URL'), undefined);
});

test('secrets of a host stay away from http, with one warning; user agent and freshness do not', t => {
	const lines: Array<{message: string; fields: Fields | undefined}> = [];
	const log = {...NO_LOG, warn: (message: string, fields?: Fields) => void lines.push({message, fields})};
	const rule = {host: 'a.test', userAgent: 'me', freshness: 7, headers: {'x-key': 's3cret'}, cookies: {b: 's3cret'}};
	const {headers, freshness} = rulesOf([rule, {host: 'b.test', userAgent: 'me'}], {log});
	for (let count = 0; count < 3; count++) t.deepEqual(headers('http://a.test:81/x'), {'user-agent': 'me'});
	t.is(freshness('http://a.test/'), 7);
	headers('http://b.test/');
	headers('https://a.test/');
	t.deepEqual(lines, [
		{
			message: 'what the setting hosts has for a host is a secret, and is not sent over http',
			fields: {host: 'a.test:81', toSendItAllTheSame: 'name it http://a.test:81 there'},
		},
	]);
});

test('an origin of http gets what is said of it, and nobody besides', t => {
	const {headers} = rulesOf([{host: 'http://a.test:8080', headers: {'x-key': '1'}}]);
	t.is(headers('http://a.test:8080/x')['x-key'], '1');
	for (const url of ['http://a.test/', 'https://a.test:8080/', 'http://a.test:8081/', 'http://b.test:8080/']) {
		t.is(headers(url)['x-key'], undefined, url);
	}
});

test('an address of IPv6 is a host and part of an origin, in any spelling', t => {
	const {freshness} = rulesOf([
		{host: '2001:db8::7', freshness: 1},
		{host: 'http://[::1]:8080', freshness: 2},
	]);
	t.is(freshness('https://[2001:db8:0::7]/'), 1);
	t.is(freshness('http://[0::1]:8080/'), 2);
	t.is(freshness('http://[::1]/'), undefined);
});

test('what is sent in any case goes before the rules', t => {
	const {headers} = rulesOf([{host: 'a.test', userAgent: 'rule', headers: {authorization: 'rule'}, cookies: {a: '1'}}]);
	const own = {'user-agent': 'own', 'authorization': 'own', 'cookie': 'own', 'range': 'bytes=0-1'};
	t.deepEqual(headers('https://a.test/', own), own);
});

test('a login of the netrc file goes over https where nobody says another one', t => {
	const {headers} = rulesOf(
		[
			{host: 'none.test', netrc: false},
			{host: 'own.test', headers: {authorization: 'Bearer t'}},
			{host: 'http://a.test', netrc: true},
		],
		{netrc: true},
	);
	const sent = (url: string, own = {}) => headers(url, own)['authorization'];
	t.is(sent('https://a.test/'), basic('ann:one'));
	t.is(sent('https://c.test/'), basic('any:1'));
	t.is(sent('https://a.test/', {authorization: 'own'}), 'own');
	t.is(sent('https://none.test/'), undefined);
	t.is(sent('https://own.test/'), 'Bearer t');
	t.is(sent('http://a.test/'), basic('ann:one'));
	t.is(sent('http://a.test:81/'), undefined);
	t.is(sent('http://c.test/'), undefined);
});

test('a host that is none is a RangeError', t => {
	const wrong = [
		'',
		'a/b',
		'a.test:80',
		'http://',
		'http://*.a.test',
		'http://a.test/x',
		'http://u:p@a.test',
		'ftp://a',
	];
	for (const host of wrong) {
		t.throws(() => new HostRules({hosts: [{host}], userAgent: 'x'}, NO_LOG), {instanceOf: RangeError}, host);
	}
});
