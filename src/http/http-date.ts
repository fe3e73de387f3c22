/** RFC 9110 section 5.6.7: the one form that is written, and the two that are read all the same. */
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
const FORMS = [
	new RegExp(String.raw`^${DAY}, (?<day>\d\d) ${MONTH} (?<year>\d{4}) ${TIME} GMT$`, 'i'),
	new RegExp(String.raw`^${LONG_DAY}, (?<day>\d\d)-${MONTH}-(?<year>\d\d) ${TIME} GMT$`, 'i'),
	new RegExp(String.raw`^${DAY} ${MONTH} (?<day>[ \d]\d) ${TIME} (?<year>\d{4})$`, 'i'),
];

/**
 * `Sun, 06 Nov 1994 08:49:37 GMT` -> epoch milliseconds; undefined for what is
 * no date, of which `Date.parse` would make one all too often.
 *
 * @param nowMs - two digits of a year mean one not more than 50 years ahead of this.
 */
export function parseHttpDate(value: string, nowMs: number): number | undefined {
	const form = FORMS.find(candidate => candidate.test(value));
	const {day, month, year, hour, minute, second} = form?.exec(value)?.groups ?? {};
	if (month === undefined) return undefined;
	const monthIndex = MONTHS.findIndex(name => name.toLowerCase() === month.toLowerCase());
	return Date.UTC(fullYear(Number(year), nowMs), monthIndex, Number(day), Number(hour), Number(minute), Number(second));
}

function fullYear(year: number, nowMs: number): number {
	if (year >= 100) return year;
	const thisYear = new Date(nowMs).getUTCFullYear();
	const ofThisCentury = thisYear - (thisYear % 100) + year;
	return ofThisCentury > thisYear + 50 ? ofThisCentury - 100 : ofThisCentury;
}
