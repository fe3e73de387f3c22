/** Cases of the suite's vary and vary-parse: answers that hold for some requests only. */
import type {Case, Expectation, Field, Kind, RequestHeaders, Step} from './case.js';

const KEPT: readonly Field[] = [
	['Cache-Control', 'max-age=5000'],
	['Last-Modified', -3000],
	['Date', 0],
];

const ONE: RequestHeaders = {Foo: '1'};
const TWO: RequestHeaders = {Foo: '1', Bar: 'abc'};
const THREE: RequestHeaders = {Foo: '1', Bar: 'abc', Baz: '789'};
const NOT_NORMALISED = 'headers are compared as they are sent, letter by letter';

export const VARY: readonly Case[] = [
	pair('vary-match', 'optimal', 'an answer is reused for the same header', ['Foo', ONE, ONE], 'cached'),
	pair('vary-no-match', 'required', 'an answer is not reused for another header', ['Foo', ONE, {Foo: '2'}], 'asked'),
	pair('vary-omit-stored', 'required', 'an answer to no header is not reused for one', ['Foo', {}, ONE], 'asked'),
	pair('vary-omit', 'required', 'an answer to a header is not reused for none', ['Foo', ONE, {}], 'asked'),
	{
		id: 'vary-invalidate',
		kind: 'optimal',
		name: 'two variants are kept',
		steps: [
			varying('Foo', ONE, 'asked'),
			varying('Foo', {Foo: '2'}, 'asked'),
			{...varying('Foo', ONE, 'cached'), from: 1},
		],
		deviates: {why: 'a URL is one file, and the last variant is the one kept', expect: {3: 'asked'}},
	},
	pair(
		'vary-cache-key',
		'optimal',
		'a header that Vary does not name changes nothing',
		['Foo', {Foo: '1', Other: '2'}, {Foo: '1', Other: '3'}],
		'cached',
	),
	pair('vary-2-match', 'optimal', 'an answer is reused for the same two headers', ['Foo, Bar', TWO, TWO], 'cached'),
	pair(
		'vary-2-no-match',
		'required',
		'an answer is not reused where one header of two is another',
		['Foo, Bar', TWO, {Foo: '2', Bar: 'abc'}],
		'asked',
	),
	pair(
		'vary-2-match-omit',
		'required',
		'an answer to two headers is not reused for none',
		['Foo, Bar', TWO, {}],
		'asked',
	),
	pair(
		'vary-3-match',
		'optimal',
		'an answer is reused for the same three headers',
		['Foo, Bar, Baz', THREE, THREE],
		'cached',
	),
	pair(
		'vary-3-no-match',
		'required',
		'an answer is not reused where one header of three is another',
		['Foo, Bar, Baz', THREE, {...THREE, Foo: '2'}],
		'asked',
	),
	pair(
		'vary-3-order',
		'required',
		'an answer is not reused where one header of three is another, be they in another order',
		['Foo, Bar, Baz', THREE, {Foo: '1', Baz: '789', Bar: 'abcde'}],
		'asked',
	),
	pair(
		'vary-3-omit',
		'optimal',
		'an answer is reused where the same header of three is missing',
		['Foo, Bar, Baz', {Foo: '1', Baz: '789'}, {Foo: '1', Baz: '789'}],
		'cached',
	),
	star('vary-star', ['*']),
	normalised('vary-normalise-lang-order', 'the order of languages changes nothing', 'de, en'),
	normalised('vary-normalise-lang-case', 'the case of languages changes nothing', 'eN, De'),
	normalised('vary-normalise-lang-space', 'spaces between languages change nothing', ' en ,   de'),
	normalised('vary-normalise-lang-select', 'an answer in the best language is reused', 'fr;q=0.5, de;q=1.0', [
		['Content-Language', 'de'],
	]),
	{
		...pair(
			'vary-normalise-space',
			'optimal',
			'spaces in a header change nothing',
			['Foo', {Foo: '1,2'}, {Foo: ' 1, 2 '}],
			'cached',
		),
		deviates: {why: NOT_NORMALISED, expect: {2: 'asked'}},
	},
];

export const VARY_PARSE: readonly Case[] = [
	star('vary-syntax-star', ['*']),
	star('vary-syntax-star-star', ['*, *']),
	star('vary-syntax-star-star-lines', ['*', '*']),
	star('vary-syntax-empty-star', [', *']),
	star('vary-syntax-empty-star-lines', ['', '*']),
	star('vary-syntax-star-foo', ['*, Foo']),
	star('vary-syntax-foo-star', ['Foo, *']),
];

/** Two requests, the first of which is answered with this Vary. */
function pair(
	id: string,
	kind: Kind,
	name: string,
	[vary, first, second]: readonly [vary: string, first: RequestHeaders, second: RequestHeaders],
	expect: Expectation,
): Case {
	return {id, kind, name, steps: [varying(vary, first, 'asked'), {request: second, expect}]};
}

function varying(vary: string, request: RequestHeaders, expect: Expectation): Step {
	return {request, headers: [...KEPT, ['Vary', vary]], expect};
}

/** What varies with everything is reused for nothing. The same headers are sent both times, ours or the suite's. */
function star(id: string, lines: readonly string[]): Case {
	const headers: Field[] = [...KEPT, ...lines.map(line => ['Vary', line] as const)];
	return {
		id,
		kind: 'required',
		name: `an answer with "Vary: ${lines.join('", "Vary: ')}" is not reused`,
		steps: [{headers, expect: 'asked'}, {expect: 'asked'}],
	};
}

function normalised(id: string, name: string, second: string, headers: readonly Field[] = []): Case {
	const fields: Field[] = [...KEPT, ['Vary', 'Accept-Language'], ...headers];
	return {
		id,
		kind: 'optimal',
		name,
		steps: [
			{request: {'Accept-Language': 'en, de'}, headers: fields, expect: 'asked'},
			{request: {'Accept-Language': second}, expect: 'cached'},
		],
		deviates: {why: NOT_NORMALISED, expect: {2: 'asked'}},
	};
}
