/** The section `hosts` of the configuration file. It may hold secrets, so no message holds a value of it. */
import {parseHostSelector, type HostRule} from '../base/host-rule.js';
import {messageOf} from '../base/errors.js';
import {closest} from './closest.js';
import {parseFreshness} from './freshness.js';
import {withVariables} from './variables.js';

type Env = Readonly<Record<string, string | undefined>>;
type Mapping = Readonly<Record<string, unknown>>;

const FIELDS = [
	...(['freshness', 'user-agent', 'headers', 'cookies'] as const),
	...(['username', 'password', 'token', 'netrc', 'stream-unknown'] as const),
] as const;
type Field = (typeof FIELDS)[number];

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What a line of a header can carry and everybody reads alike. */
const PRINTABLE = /^[\x20-\x7e]+$/;

/** Headers that larder decides, or that belong to the connection. */
const OURS = new Set([
	...['accept-encoding', 'connection', 'content-encoding', 'content-length', 'content-type', 'expect', 'host'],
	...['keep-alive', 'range', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
]);
/** Headers that have a field of their own. */
const FIELD_OF: Readonly<Record<string, Field>> = {'cookie': 'cookies', 'user-agent': 'user-agent'};

/**
 * @param value - what the file has: a mapping of hosts to mappings, or `none`.
 * @throws RangeError with a sentence that names host, field and variable.
 */
export function parseHosts(value: unknown, env: Env): HostRule[] {
	if (value === 'none') return [];
	if (!isMapping(value)) throw new RangeError('expected lines such as "example.org: {token: …}"');
	return Object.entries(value).map(([host, fields]) => {
		try {
			return parseRule(host, fields, env);
		} catch (error) {
			throw new RangeError(`${shown(host)}: ${messageOf(error)}`, {cause: error});
		}
	});
}

/** Credentials, a query, and what is no scalar in YAML may be secrets. */
function shown(host: string): string {
	const name = host.replace(/^(https?:\/\/)?.*@/i, '$1');
	return /^[^\s{}@?#]{1,260}$/.test(name) ? name : '…';
}

function parseRule(host: string, value: unknown, env: Env): HostRule {
	checkHost(host);
	if (!isMapping(value)) throw new RangeError(`expected some of ${FIELDS.join(', ')}`);
	for (const key of Object.keys(value)) {
		if (!(FIELDS as readonly string[]).includes(key)) throw new RangeError(unknownField(key));
	}

	const said = (field: Field) => value[field] !== undefined;
	const userAgent = said('user-agent') ? textOf('user-agent', value['user-agent'], env) : undefined;
	const headers = {
		...(said('headers') && headersOf(value['headers'], env)),
		...authorizationOf(value, env),
	};
	return {
		host,
		...(said('freshness') && {freshness: freshnessOf(value['freshness'], env)}),
		...(said('stream-unknown') && {streamUnknown: booleanOf('stream-unknown', value['stream-unknown'])}),
		...(userAgent !== undefined && {userAgent}),
		...(Object.keys(headers).length > 0 && {headers}),
		...(said('cookies') && {cookies: cookiesOf(value['cookies'], env)}),
		...(said('netrc') && {netrc: booleanOf('netrc', value['netrc'])}),
	};
}

function checkHost(host: string): void {
	try {
		parseHostSelector(host);
	} catch {
		throw new RangeError(
			'no host; expected one such as example.org, *.example.org, 192.0.2.7, 10.0.0.0/8 or http://127.0.0.1:8080',
		);
	}
}

function unknownField(key: string): string {
	// Where a colon is missing, a secret may be part of it.
	const shown = /^[a-z-]{1,20}$/i.test(key) ? `unknown key "${key}"` : 'an unknown key';
	const name = closest(key, FIELDS);
	return `${shown}; ${name === undefined ? `the keys are ${FIELDS.join(', ')}` : `did you mean "${name}"?`}`;
}

function headersOf(value: unknown, env: Env): Record<string, string> {
	if (!isMapping(value)) throw new RangeError('headers is no mapping; expected for example {X-Api-Key: …}');
	const headers: Record<string, string> = {};
	for (const [written, text] of Object.entries(value)) {
		if (!TOKEN.test(written)) throw new RangeError('headers has a name that HTTP does not allow');
		const name = written.toLowerCase();
		const field = Object.hasOwn(FIELD_OF, name) ? FIELD_OF[name] : undefined;
		if (field !== undefined) throw new RangeError(`headers has ${written}; write ${field} for it`);
		if (OURS.has(name) || /^(if|proxy|sec)-/.test(name)) {
			throw new RangeError(`headers has ${written}, which larder decides itself`);
		}

		if (Object.hasOwn(headers, name)) throw new RangeError(`headers has ${written} twice`);
		headers[name] = textOf(`headers.${written}`, text, env);
	}

	return headers;
}

function cookiesOf(value: unknown, env: Env): Record<string, string> {
	if (!isMapping(value)) throw new RangeError('cookies is no mapping; expected for example {session: …}');
	const cookies = Object.entries(value).map(([name, written]) => {
		if (!TOKEN.test(name)) throw new RangeError('cookies has a name that HTTP does not allow');
		const text = textOf(`cookies.${name}`, written, env);
		if (text.includes(';')) throw new RangeError(`cookies.${name} has a semicolon, which ends a cookie`);
		return [name, text] as const;
	});
	return Object.fromEntries(cookies);
}

/** @see RFC 7617 (Basic), RFC 6750 (Bearer) */
function authorizationOf(value: Mapping, env: Env): Record<string, string> {
	const {username, password, token, headers} = value;
	const ways = [
		...(token === undefined ? [] : ['token']),
		...(username === undefined && password === undefined ? [] : ['username and password']),
		...(isMapping(headers) && Object.keys(headers).some(isAuthorization) ? ['an Authorization header'] : []),
	];
	if (ways.length > 1) throw new RangeError(`has ${ways.join(' and ')}; expected one of them`);
	if (token !== undefined) return {authorization: `Bearer ${textOf('token', token, env)}`};
	if (username === undefined && password === undefined) return {};
	if (password === undefined) throw new RangeError('has a username without a password');
	if (username === undefined) throw new RangeError('has a password without a username');
	const user = stringOf('username', username, env);
	if (user.includes(':')) throw new RangeError('username has a colon, which HTTP does not allow');
	const credentials = `${user}:${stringOf('password', password, env)}`;
	return {authorization: `Basic ${Buffer.from(credentials).toString('base64')}`};
}

function isAuthorization(name: string): boolean {
	return name.toLowerCase() === 'authorization';
}

function freshnessOf(value: unknown, env: Env): HostRule['freshness'] {
	const text = stringOf('freshness', value, env);
	try {
		return parseFreshness(text);
	} catch {
		throw new RangeError('freshness is none; expected forever, http or a duration such as 1h');
	}
}

function booleanOf(name: string, value: unknown): boolean {
	if (typeof value !== 'boolean') throw new RangeError(`${name} is neither true nor false`);
	return value;
}

/** One line that a header can carry. */
function textOf(name: string, value: unknown, env: Env): string {
	const text = stringOf(name, value, env);
	if (!PRINTABLE.test(text)) throw new RangeError(`${name} is not one line of printable ASCII`);
	return text;
}

function stringOf(name: string, value: unknown, env: Env): string {
	// YAML has made numbers of what are digits, without their zeros.
	if (typeof value !== 'string') throw new RangeError(`${name} is no text; put it in quotes`);
	let text: string;
	try {
		text = withVariables(value, env);
	} catch (error) {
		throw new RangeError(`${name} ${messageOf(error)}`, {cause: error});
	}

	if (text === '') throw new RangeError(`${name} is empty`);
	if (hasControls(text)) throw new RangeError(`${name} has a control character`);
	return text;
}

function hasControls(text: string): boolean {
	// eslint-disable-next-line no-control-regex -- these are what it looks for
	return /[\x00-\x1f\x7f]/.test(text);
}

function isMapping(value: unknown): value is Mapping {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
