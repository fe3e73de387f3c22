/** Cases of the suite's expires-freshness, expires-parse and heuristic-freshness: a lifetime that dates say. */
import {askedAgain, PAUSE_S, reused, type Case, type Field} from './case.js';

const DAY_S = 24 * 60 * 60;
const AT_ONCE = {atOnce: true} as const;

export const EXPIRES_FRESHNESS: readonly Case[] = [
	reused('freshness-expires-future', 'optimal', 'an Expires to come is a lifetime', [
		['Expires', 30 * DAY_S],
		['Date', 0],
	]),
	askedAgain('freshness-expires-past', 'required', 'an Expires that is past is stale', [
		['Expires', -30 * DAY_S],
		['Date', 0],
	]),
	askedAgain(
		'freshness-expires-present',
		'required',
		'an Expires of now is stale',
		[
			['Expires', 0],
			['Date', 0],
		],
		AT_ONCE,
	),
	askedAgain('freshness-expires-old-date', 'required', 'an Expires before Date is stale, be both to come', [
		['Expires', 300],
		['Date', 400],
	]),
	askedAgain('freshness-expires-invalid', 'required', 'an Expires of 0 is stale', [
		['Expires', '0'],
		['Date', 0],
	]),
	reused(
		'freshness-expires-invalid-date',
		'optimal',
		'an Expires to come is a lifetime, also where Date is no date',
		[
			['Date', 'foo'],
			['Expires', 10],
		],
		AT_ONCE,
	),
	askedAgain(
		'freshness-expires-age-slow-date',
		'required',
		'an Age above what is between Date and Expires is stale, be Date past',
		[
			['Date', -10],
			['Expires', 10],
			['Age', '25'],
		],
		AT_ONCE,
	),
	askedAgain(
		'freshness-expires-age-fast-date',
		'required',
		'an Age above what is between Date and Expires is stale, be Date to come',
		[
			['Date', 10],
			['Expires', 20],
			['Age', '15'],
		],
		AT_ONCE,
	),
];

export const EXPIRES_PARSE: readonly Case[] = [
	readable('freshness-expires-32bit', 'of 32 bits', 'Tue, 19 Jan 2038 14:14:08 GMT'),
	readable('freshness-expires-far-future', 'far away', 'Sun, 21 Nov 2286 04:46:39 GMT'),
	readable('freshness-expires-rfc850', 'as RFC 850 writes it', 'Thursday, 18-Aug-50 02:01:18 GMT'),
	readable('freshness-expires-ansi-c', 'as asctime() writes it', 'Thu Aug  8 02:01:18 2050'),
	readable('freshness-expires-wrong-case-weekday', 'with a weekday in capitals', 'THU, 18 Aug 2050 02:01:18 GMT'),
	readable('freshness-expires-wrong-case-month', 'with a month in capitals', 'Thu, 18 AUG 2050 02:01:18 GMT'),
	readable('freshness-expires-wrong-case-tz', 'with gMT', 'Thu, 18 Aug 2050 02:01:18 gMT'),
	unreadable('freshness-expires-invalid-utc', 'in UTC', ['Thu, 18 Aug 2050 02:01:18 UTC']),
	unreadable('freshness-expires-invalid-aest', 'in another zone', ['Thu, 18 Aug 2050 02:01:18 AEST']),
	unreadable('freshness-expires-invalid-2-digit-year', 'with a year of two digits', ['Thu, 18 Aug 50 02:01:18 GMT']),
	unreadable('freshness-expires-invalid-no-comma', 'without a comma', ['Thu 18 Aug 2050 02:01:18 GMT']),
	unreadable(
		'freshness-expires-invalid-multiple-spaces',
		'with spaces in a row',
		['Thu, 18  Aug  2050 02:01:18 GMT'],
		AT_ONCE,
	),
	unreadable('freshness-expires-invalid-date-dashes', 'with dashes', ['Thu, 18-Aug-2050 02:01:18 GMT'], AT_ONCE),
	unreadable('freshness-expires-invalid-time-periods', 'with dots', ['Thu, 18 Aug 2050 02.01.18 GMT'], AT_ONCE),
	unreadable(
		'freshness-expires-invalid-1-digit-hour',
		'with an hour of one digit',
		['Thu, 18 Aug 2050 2:01:18 GMT'],
		AT_ONCE,
	),
	unreadable(
		'freshness-expires-invalid-multiple-lines',
		'that comes twice',
		['Thu, 18 Aug 2050 2:01:18 GMT', 'Thu, 18 Aug 2050 2:01:19 GMT'],
		AT_ONCE,
	),
];

type Common = Parameters<typeof reused>[4];

function readable(id: string, which: string, expires: string, common?: Common): Case {
	return reused(id, 'optimal', `an Expires ${which} is a lifetime`, expiring([expires]), common);
}

function unreadable(id: string, which: string, expires: readonly string[], common?: Common): Case {
	return askedAgain(id, 'required', `an Expires ${which} is no date`, expiring(expires), common);
}

function expiring(expires: readonly string[]): Field[] {
	return [...expires.map(value => ['Expires', value] as const), ['Date', 0]];
}

const NO_FILE = 'an answer with this status is no file: it is an error, and none but 404 and 410 is remembered';

export const HEURISTIC_FRESHNESS: readonly Case[] = [
	...[200, 203, 404, 410].map(status => guessed(status)),
	...[204, 405, 414, 501].map(status => guessed(status, {deviates: NO_FILE})),
	...[201, 202, 403, 502, 503, 504, 599].map(status =>
		askedAgain(
			`heuristic-${status}-not_cached`,
			'required',
			`a ${status} without a lifetime is not reused`,
			unchangedFor(DAY_S),
			{...AT_ONCE, status},
		),
	),
	reused(
		'heuristic-599-cached',
		'optimal',
		'a 599 that is public is reused for as long as its Last-Modified lets guess',
		[...unchangedFor(DAY_S), ['Cache-Control', 'public']],
		{...AT_ONCE, status: 599, deviates: NO_FILE},
	),
	...[5, 10, 30].map(ageS => delta(ageS, {deviates: 'a tenth of its age is less than the pause'})),
	...[60, 300, 600, 1200, 1800, 3600, DAY_S / 2, DAY_S].map(ageS => delta(ageS)),
];

function guessed(status: number, common?: Common): Case {
	const name = `a ${status} without a lifetime is reused for as long as its Last-Modified lets guess`;
	return reused(`heuristic-${status}-cached`, 'optimal', name, unchangedFor(DAY_S), {...AT_ONCE, status, ...common});
}

function delta(ageS: number, common?: Common): Case {
	const name = `what has not changed for ${ageS} s is fresh after ${PAUSE_S} s`;
	return reused(`heuristic-delta-${ageS}`, 'check', name, unchangedFor(ageS), common);
}

function unchangedFor(ageS: number): Field[] {
	return [
		['Last-Modified', -ageS],
		['Date', 0],
	];
}
