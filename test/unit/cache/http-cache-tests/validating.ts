/** Cases of the suite's stale, conditional-etag and update304: asking whether what is kept still holds. */
import {PAUSE_S, type Case, type Expectation, type Field, type Kind, type Step} from './case.js';

const DATE: Field = ['Date', 0];

function stored(...headers: readonly Field[]): Step {
	return {headers, expect: 'asked', pauseS: PAUSE_S};
}

function cacheControl(value: string): Field {
	return ['Cache-Control', value];
}

export const STALE: readonly Case[] = [
	failing('stale-close', 'check', 'what is stale comes where the origin hangs up', 'max-age=2', 'stale'),
	{
		id: 'stale-503',
		kind: 'check',
		name: 'what is stale comes where the origin answers 503',
		steps: [stored(cacheControl('max-age=2'), DATE), {status: 503, expect: 'stale'}],
	},
	{
		id: 'stale-while-revalidate',
		kind: 'optimal',
		name: 'what is stale comes at once where stale-while-revalidate allows it',
		steps: [
			stored(cacheControl('max-age=1, stale-while-revalidate=3600'), ['ETag', '"abc"']),
			{headers: [['ETag', '"abc"']], expect: 'meanwhile'},
		],
	},
	{
		id: 'stale-while-revalidate-window',
		kind: 'required',
		name: 'what is stale does not come once stale-while-revalidate is over',
		steps: [
			stored(cacheControl('max-age=1, stale-while-revalidate=4'), ['ETag', '"abc"']),
			{headers: [cacheControl('no-cache'), ['ETag', '"def"']], expect: 'meanwhile', pauseS: PAUSE_S},
			{expect: 'asked'},
		],
	},
	failing(
		'stale-sie-close',
		'check',
		'what is stale comes where stale-if-error allows it and the origin hangs up',
		'max-age=2, stale-if-error=60',
		'stale',
	),
	{
		id: 'stale-sie-503',
		kind: 'check',
		name: 'what is stale comes where stale-if-error allows it and the origin answers 503',
		// The suite hangs up here too; its name says 503.
		steps: [stored(cacheControl('max-age=2, stale-if-error=60')), {status: 503, expect: 'stale'}],
	},
	failing(
		'stale-close-must-revalidate',
		'required',
		'what is stale does not come where must-revalidate forbids it',
		'max-age=2, must-revalidate',
		'asked',
	),
	failing(
		'stale-close-no-cache',
		'required',
		'what is stale does not come where no-cache forbids it',
		'max-age=2, no-cache',
		'asked',
	),
];

/** The origin hangs up when it is asked again. */
function failing(id: string, kind: Kind, name: string, directives: string, expect: Expectation): Case {
	return {id, kind, name, steps: [stored(cacheControl(directives), DATE), {closes: true, expect}]};
}

const ABC = {Abc: '123'};

export const CONDITIONAL_ETAG: readonly Case[] = [
	{
		id: 'conditional-etag-vary-headers',
		kind: 'required',
		name: 'who validates sends the headers that Vary names',
		steps: [
			{...stored(['Expires', 1], ['ETag', '"abcdef"'], DATE, ['Vary', 'Abc']), request: ABC},
			{request: ABC, expect: {validated: {'if-none-match': '"abcdef"', 'abc': '123'}}},
		],
	},
	{
		id: 'conditional-etag-vary-headers-mismatch',
		kind: 'check',
		name: 'an ETag is sent for a variant that is not the one kept',
		steps: [
			{...stored(['Expires', 10_000], ['ETag', '"abcdef"'], DATE, ['Vary', 'Abc']), request: ABC},
			{request: {Abc: '456'}, expect: {asked: {'if-none-match': '"abcdef"'}}},
		],
	},
	generated('conditional-etag-strong-generate', 'optimal', 'what is stale is validated by its ETag', '"abcdef"'),
	generated(
		'conditional-etag-weak-generate-weak',
		'optimal',
		'what is stale is validated by its weak ETag',
		'W/"abcdef"',
	),
	{
		...generated(
			'conditional-etag-strong-generate-unquoted',
			'check',
			'an ETag without quotes is sent with quotes',
			'abcdef',
			'"abcdef"',
		),
		deviates: {why: 'an ETag is sent as it came', expect: {2: {validated: {'if-none-match': 'abcdef'}}}},
	},
];

function generated(id: string, kind: Kind, name: string, etag: string, sent = etag): Case {
	const first = stored(cacheControl('max-age=2'), DATE, ['ETag', etag]);
	return {id, kind, name, steps: [first, {expect: {validated: {'if-none-match': sent}}}]};
}

const LAST_MODIFIED = 'Wed, 01 Jan 2020 00:00:00 GMT';

export const UPDATE_304: readonly Case[] = [
	{
		id: '304-lm-use-stored-Test-Header',
		kind: 'required',
		name: 'what is stale is validated by its Last-Modified, and its bytes are kept',
		steps: [
			stored(cacheControl('max-age=2'), ['Last-Modified', LAST_MODIFIED], DATE, ['Test-Header', 'A']),
			{
				headers: [['Last-Modified', LAST_MODIFIED], DATE],
				expect: {validated: {'if-modified-since': LAST_MODIFIED}},
			},
		],
	},
	updated('Test-Header', 'a 304 makes fresh again', [
		[cacheControl('max-age=2'), ['Test-Header', 'A']],
		[cacheControl('max-age=2'), ['Test-Header', 'B']],
	]),
	updated('Cache-Control', 'the lifetime of a 304 is the new one', [
		[cacheControl('max-age=1')],
		[cacheControl('max-age=3600')],
	]),
	updated('Content-Length', 'the length of a 304 changes nothing', [
		[cacheControl('max-age=2')],
		[cacheControl('max-age=2'), ['Content-Length', '10']],
	]),
];

/** An answer, a 304 to it, and a request for which both together are enough. */
function updated(header: string, name: string, [first, second]: readonly [readonly Field[], readonly Field[]]): Case {
	const etag: Field = ['ETag', '"etag-1"'];
	return {
		id: `304-etag-update-response-${header}`,
		kind: 'required',
		name,
		steps: [
			stored(DATE, ...first, etag),
			{headers: [DATE, ...second, etag], expect: {validated: {'if-none-match': '"etag-1"'}}},
			{expect: 'cached'},
		],
	};
}
