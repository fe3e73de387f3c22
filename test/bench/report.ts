/** What a benchmark says: rows of one table, made of runs. */
import {cpuOf, median, peakRssBytesOf, ratio, secondsOf, type Cpu, type Runs} from './measure.js';

const GIB = 1024 ** 3;

export interface Target {
	readonly says: string;
	readonly met: boolean;
}

export interface Row {
	readonly workload: string;
	readonly subject: string;
	/** The median as a person wants it: `1.25 GB/s`, `830 files/s`, `210 ms`, `0.51 µs`. */
	readonly median: string;
	/** From the slowest to the fastest run, in the same unit. */
	readonly range: string;
	/** The time of this subject by the time of another. */
	readonly ratios: Readonly<Record<string, number>>;
	/** What the process spends that serves: of a GiB, of a file, of a call, or of a run; user + system. */
	readonly cpu: string;
	readonly peakRssBytes: number | undefined;
	readonly targets: readonly Target[];
}

/** What a run of a workload moves. */
export type Amount =
	| {readonly bytes: number}
	| {readonly files: number}
	/** Of a few microseconds each. */
	| {readonly operations: number}
	/** Nothing to divide by: the time itself counts. */
	| 'time'
	/** The runs' seconds are those of one call. It is shown how many follow one another in a second, … */
	| 'calls'
	/** … or how long one takes, where that is microseconds. */
	| 'one call';

export interface RowOptions {
	readonly workload: string;
	readonly amount: Amount;
	/** Whom each subject is compared with. */
	readonly against: Readonly<Record<string, readonly string[]>>;
	readonly targets?: Readonly<Record<string, readonly Target[]>>;
}

/** A row for each subject, in the order of the runs. */
export function rowsOf(runs: Runs, {workload, amount, against, targets}: RowOptions): Row[] {
	return Object.keys(runs).map(subject => {
		const seconds = secondsOf(runs, subject);
		const show = (value: number) => inUnits(value, amount);
		const cpu = cpuOf(runs, subject);
		const references = against[subject] ?? [];
		return {
			workload,
			subject,
			median: show(median(seconds)),
			range: `${show(Math.max(...seconds)).split(' ')[0]} – ${show(Math.min(...seconds)).split(' ')[0]}`,
			ratios: Object.fromEntries(references.map(reference => [reference, ratio(runs, subject, reference)])),
			cpu: cpu ? cpuFor(cpu, amount) : '',
			peakRssBytes: peakRssBytesOf(runs, subject),
			targets: targets?.[subject] ?? [],
		};
	});
}

/** What is counted in the place of a time. */
export interface CountOptions {
	readonly workload: string;
	readonly targets?: readonly Target[];
}

/** What the origin sent, in the unit of 10^6 bytes. */
export function rowOfSent(runs: Runs, subject: string, options: CountOptions): Row {
	return rowOfCounts(sentBytesOf(runs, subject), subject, options, bytes => `${(bytes / 1e6).toFixed(2)} MB`);
}

/** What the origin was asked. */
export function rowOfRequests(runs: Runs, subject: string, options: CountOptions): Row {
	const requests = (runs[subject] ?? []).map(sample => sample.requests ?? NaN);
	return rowOfCounts(requests, subject, options, count => `${count} GET`);
}

function rowOfCounts(
	counts: readonly number[],
	subject: string,
	{workload, targets = []}: CountOptions,
	show: (count: number) => string,
): Row {
	const range = `${show(Math.max(...counts)).split(' ')[0]} – ${show(Math.min(...counts)).split(' ')[0]}`;
	return {
		...{workload, subject, range, targets},
		median: show(median(counts)),
		ratios: {},
		cpu: '',
		peakRssBytes: undefined,
	};
}

function sentBytesOf(runs: Runs, subject: string): number[] {
	return (runs[subject] ?? []).map(({sentBytes}) => sentBytes ?? NaN);
}

/** Never as much as this, whatever the run. */
export function sentLess(limitBytes: number, runs: Runs, subject: string): Target {
	const says = `< ${(limitBytes / 1e6).toFixed(2)} MB`;
	return {says, met: Math.max(...sentBytesOf(runs, subject)) < limitBytes};
}

/** At most so many times as long as another. */
export function atMost(limit: number, runs: Runs, subject: string, reference: string): Target {
	return {says: `≤ ${limit}x ${reference}`, met: ratio(runs, subject, reference) <= limit};
}

/** At least so many times as fast as another. */
export function timesAsFast(times: number, runs: Runs, subject: string, reference: string): Target {
	return {says: `≥ ${times}x as fast as ${reference}`, met: ratio(runs, subject, reference) <= 1 / times};
}

/** At least so many bytes a second. */
export function atLeast(bytesPerSecond: number, runs: Runs, subject: string, bytes: number): Target {
	return {
		says: `≥ ${bytesPerSecond / 1e9} GB/s`,
		met: bytes / median(secondsOf(runs, subject)) >= bytesPerSecond,
	};
}

/** Less than so long, whatever another takes. */
export function within(limitSeconds: number, runs: Runs, subject: string): Target {
	const says = limitSeconds < 0.001 ? `${limitSeconds * 1e6} µs` : `${limitSeconds} s`;
	return {says: `< ${says}`, met: median(secondsOf(runs, subject)) < limitSeconds};
}

/** What a daemon may take, whatever it does. */
const MAX_RSS_BYTES = 150e6;

export function smallEnough(runs: Runs, subject: string, limitBytes = MAX_RSS_BYTES): Target {
	return {says: `RSS < ${limitBytes / 1e6} MB`, met: (peakRssBytesOf(runs, subject) ?? NaN) < limitBytes};
}

/** A table as Markdown has it, which is also good to read in a terminal. */
export function table(rows: readonly Row[]): string {
	const head = [
		'workload',
		'subject',
		'median',
		'slowest – fastest',
		'time by',
		'CPU, user + system',
		'peak RSS',
		'target',
	];
	const lines = rows.map((row, index) => [
		row.workload === rows[index - 1]?.workload ? '' : row.workload,
		row.subject,
		row.median,
		row.range,
		Object.entries(row.ratios)
			.map(([reference, value]) => `${multiple(value)}x ${reference}`)
			.join(', '),
		row.cpu,
		row.peakRssBytes === undefined ? '' : `${Math.round(row.peakRssBytes / 1e6)} MB`,
		row.targets.map(({says, met}) => `${says}: ${met ? 'yes' : 'NO'}`).join('; '),
	]);
	const widths = head.map((title, column) => Math.max(...[head, ...lines].map(line => (line[column] ?? title).length)));
	const show = (line: readonly string[]) =>
		`| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
	const rule = `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`;
	return [show(head), rule, ...lines.map(show)].join('\n');
}

/** Two decimals, and where they would be nothing, two figures. */
function multiple(value: number): string {
	return value < 0.1 ? value.toPrecision(2) : value.toFixed(2);
}

function microseconds(seconds: number): string {
	return (seconds * 1e6).toFixed(seconds < 1e-5 ? 2 : 0);
}

function inUnits(seconds: number, amount: Amount): string {
	if (amount === 'time') return `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
	if (amount === 'calls') return `${Math.round(1 / seconds)} calls/s`;
	if (amount === 'one call') return `${microseconds(seconds)} µs`;
	if ('files' in amount) return `${Math.round(amount.files / seconds)} files/s`;
	if ('operations' in amount) return `${(amount.operations / seconds / 1000).toFixed(1)} k/s`;
	return `${(amount.bytes / seconds / 1e9).toFixed(2)} GB/s`;
}

function cpuFor({user, system}: Cpu, amount: Amount): string {
	if (amount === 'time') return `${user.toFixed(2)} + ${system.toFixed(2)} s`;
	if (amount === 'calls') return `${(user * 1000).toFixed(2)} + ${(system * 1000).toFixed(2)} ms/call`;
	if (amount === 'one call') return `${microseconds(user)} + ${microseconds(system)} µs/call`;
	if ('files' in amount) {
		const each = (seconds: number) => ((seconds * 1000) / amount.files).toFixed(2);
		return `${each(user)} + ${each(system)} ms/file`;
	}

	if ('operations' in amount) {
		return `${microseconds(user / amount.operations)} + ${microseconds(system / amount.operations)} µs each`;
	}

	const each = (seconds: number) => ((seconds * GIB) / amount.bytes).toFixed(2);
	return `${each(user)} + ${each(system)} s/GiB`;
}
