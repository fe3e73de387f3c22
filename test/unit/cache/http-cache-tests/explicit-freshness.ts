/** Cases of the suite's cc-freshness, cc-parse and age-parse: a lifetime that Cache-Control says. */
import {askedAgain, PAUSE_S, reused, type Case, type Field, type Kind} from './case.js';

function cacheControl(...values: readonly string[]): Field[] {
	return values.map(value => ['Cache-Control', value]);
}

function aged(...ages: readonly string[]): Field[] {
	return [['Date', 0], ...cacheControl('max-age=3600'), ...ages.map(age => ['Age', age] as const)];
}

export const CC_FRESHNESS: readonly Case[] = [
	askedAgain('freshness-none', 'check', 'an answer without a lifetime and a validator is not reused', []),
	reused('freshness-max-age', 'optimal', 'max-age is a lifetime', cacheControl('max-age=3600')),
	askedAgain('freshness-max-age-stale', 'required', 'an answer is stale after its max-age', [
		...cacheControl('max-age=2'),
		['Date', 0],
	]),
	askedAgain('freshness-max-age-0', 'required', 'a max-age of 0 is stale at once', cacheControl('max-age=0')),
	...[
		['freshness-max-age-max-minus-1', '2147483647'],
		['freshness-max-age-max', '2147483648'],
		['freshness-max-age-max-plus-1', '2147483649'],
		['freshness-max-age-max-plus', '99999999999'],
	].map(([id = '', age = '']) =>
		reused(id, 'optimal', `a max-age of ${age} is no overflow`, cacheControl(`max-age=${age}`)),
	),
	askedAgain('freshness-max-age-age', 'required', 'an Age above max-age is stale', aged('7200')),
	askedAgain(
		'freshness-max-age-date',
		'check',
		'a Date longer ago than max-age is stale',
		[['Date', -7200], ...cacheControl('max-age=3600')],
		{deviates: 'an age is counted from when the answer came, and from Age; clocks of origins are not trusted'},
	),
	reused('freshness-max-age-expires', 'optimal', 'max-age counts, not an Expires that is past', [
		...cacheControl('max-age=3600'),
		['Expires', -7200],
		['Date', 0],
	]),
	reused('freshness-max-age-expires-invalid', 'optimal', 'max-age counts, not an Expires that is no date', [
		...cacheControl('max-age=3600'),
		['Expires', '0'],
		['Date', 0],
	]),
	askedAgain('freshness-max-age-0-expires', 'required', 'a max-age of 0 counts, not an Expires to come', [
		['Expires', 3600],
		...cacheControl('max-age=0'),
		['Date', 0],
	]),
	reused(
		'freshness-max-age-extension',
		'optimal',
		'a directive that nobody knows changes nothing',
		cacheControl('foobar, max-age=3600'),
	),
	reused('freshness-max-age-case-insenstive', 'optimal', 'MaX-aGe is max-age', cacheControl('MaX-aGe=3600')),
	askedAgain('freshness-max-age-negative', 'required', 'a max-age below 0 is stale', cacheControl('max-age=-3600')),
	askedAgain(
		'freshness-max-age-s-maxage-private',
		'required',
		's-maxage is not for a private cache',
		cacheControl('s-maxage=3600, max-age=1'),
	),
	askedAgain(
		'freshness-max-age-s-maxage-private-multiple',
		'required',
		's-maxage is not for a private cache, on a line of its own either',
		cacheControl('s-maxage=3600', 'max-age=1'),
	),
];

const STRICTER_COUNTS = 'of two lifetimes the shorter one counts';
const LENIENT_SPACE = 'http-cache-semantics takes spaces around = for nothing';

export const CC_PARSE: readonly Case[] = [
	reused(
		'freshness-max-age-two-fresh-stale-sameline',
		'check',
		'the first max-age of a line counts',
		cacheControl('max-age=1800, max-age=1'),
		{deviates: STRICTER_COUNTS},
	),
	reused(
		'freshness-max-age-two-fresh-stale-sepline',
		'check',
		'the first max-age of two lines counts',
		cacheControl('max-age=1800', 'max-age=1'),
		{deviates: STRICTER_COUNTS},
	),
	reused(
		'freshness-max-age-two-stale-fresh-sameline',
		'check',
		'the longer max-age of a line counts, if it is the last',
		cacheControl('max-age=1, max-age=1800'),
		{deviates: STRICTER_COUNTS},
	),
	reused(
		'freshness-max-age-two-stale-fresh-sepline',
		'check',
		'the longer max-age of two lines counts, if it is the last',
		cacheControl('max-age=1', 'max-age=1800'),
		{deviates: STRICTER_COUNTS},
	),
	reused('freshness-max-age-quoted', 'check', 'a quoted max-age is one', cacheControl('max-age="3600"')),
	askedAgain(
		'freshness-max-age-ignore-quoted',
		'required',
		'a max-age within a quoted value before the real one is none',
		cacheControl('extension="max-age=3600", max-age=1'),
	),
	askedAgain(
		'freshness-max-age-ignore-quoted-rev',
		'required',
		'a max-age within a quoted value after the real one is none',
		cacheControl('max-age=1, extension="max-age=3600"'),
	),
	askedAgain(
		'freshness-max-age-space-before-equals',
		'check',
		'a max-age with a space before = is none',
		cacheControl('max-age =3600'),
		{deviates: LENIENT_SPACE},
	),
	askedAgain(
		'freshness-max-age-space-after-equals',
		'check',
		'a max-age with a space after = is none',
		cacheControl('max-age= 3600'),
		{deviates: LENIENT_SPACE},
	),
	// The suite names no kind, which makes it required; its name says optimal.
	reused('freshness-max-age-leading-zero', 'required', '003600 is 3600', cacheControl('max-age=003600')),
	askedAgain(
		'freshness-max-age-single-quoted',
		'required',
		'a max-age in single quotes is none',
		cacheControl("max-age='3600'"),
	),
	reused('freshness-max-age-decimal-zero', 'check', '3600.0 is 3600', cacheControl('max-age=3600.0')),
	reused('freshness-max-age-decimal-five', 'check', '3600.5 is 3600', cacheControl('max-age=3600.5')),
	reused('freshness-max-age-a100', 'check', 'a3600 is a max-age', cacheControl('max-age=a3600'), {
		deviates: 'what does not begin with a digit is 0',
	}),
	reused('freshness-max-age-100a', 'check', '3600a is 3600', cacheControl('max-age=3600a')),
];

export const AGE_PARSE: readonly Case[] = [
	fresh('age-parse-nonnumeric', 'required', 'an Age that is no number is ignored', 'abc'),
	fresh('age-parse-negative', 'required', 'an Age below 0 is ignored', '-7200'),
	reused('age-parse-float', 'required', 'an Age that is no whole number is ignored', aged('7200.0')),
	old('age-parse-large-minus-one', 'required', 'an Age of 2147483647 is stale', '2147483647'),
	old('age-parse-large', 'required', 'an Age of 2147483648 is stale', '2147483648'),
	old('age-parse-larger', 'required', 'an Age of 2147483649 is stale', '2147483649'),
	old('age-parse-suffix', 'required', 'the first Age of a line counts, if it is old', '7200, 0'),
	fresh('age-parse-prefix', 'required', 'the first Age of a line counts, if it is 0', '0, 7200'),
	old('age-parse-suffix-twoline', 'required', 'the first Age of two lines counts, if it is old', '7200', '0'),
	fresh('age-parse-prefix-twoline', 'required', 'the first Age of two lines counts, if it is 0', '0', '7200'),
	fresh('age-parse-dup-0', 'required', 'an Age of 0, 0 is fresh', '0, 0'),
	fresh('age-parse-dup-0-twoline', 'required', 'an Age of 0 on each of two lines is fresh', '0', '0'),
	{
		id: 'age-parse-dup-old',
		kind: 'required',
		name: 'an Age below max-age on each of two lines is fresh',
		steps: [
			{
				headers: [
					['Date', 0],
					['Cache-Control', 'max-age=10000'],
					['Age', '3600'],
					['Age', '3600'],
				],
				expect: 'asked',
				pauseS: PAUSE_S,
			},
			{expect: 'cached'},
		],
	},
	old('age-parse-parameter', 'check', 'an Age with a parameter of letters counts', '7200;foo=bar'),
	old('age-parse-numeric-parameter', 'check', 'an Age with a parameter of digits counts', '7200;foo=111'),
];

function fresh(id: string, kind: Kind, name: string, ...ages: readonly string[]): Case {
	return reused(id, kind, name, aged(...ages));
}

function old(id: string, kind: Kind, name: string, ...ages: readonly string[]): Case {
	return askedAgain(id, kind, name, aged(...ages));
}
