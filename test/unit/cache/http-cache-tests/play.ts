/** Plays a case step by step, and compares what is seen with what is expected. */
import type {ExecutionContext} from 'ava';
import {CacheError, type ErrorCode} from '../../../../src/base/errors.js';
import type {UrlCache, Version} from '../../../../src/library/open.js';
import {until} from '../../../helpers/until.js';
import type {Carried, Case, Expectation, Step} from './case.js';
import type {ScriptedOrigin} from './scripted-origin.js';
import type {Stage} from './stage.js';

/** What a client gets: bytes, or the code of an error. */
type Outcome = {readonly bytes: string} | {readonly error: ErrorCode};

/** Of what nobody waits for but we. */
const DEADLINE_MS = 5_000;

/** Statuses whose body is a file. */
const WHOLE: ReadonlySet<number> = new Set([200, 203]);
const CODES: Readonly<Partial<Record<number, ErrorCode>>> = {403: 'origin-refused', 404: 'not-found', 410: 'not-found'};

export async function play(t: ExecutionContext, row: Case, stage: Stage): Promise<void> {
	const url = stage.origin.serve(row.id);
	/** Of each step that was answered in full. */
	const answered: Outcome[] = [];
	let last: Outcome | undefined;
	for (const [index, step] of row.steps.entries()) {
		const expect = row.deviates?.expect[index + 1] ?? step.expect;
		const body = step.body ?? `${row.id}, answer ${index + 1}`;
		stage.origin.play({step, expect, body});
		const before = stage.origin.requests.length;
		const cache = await stage.cacheFor(step.request ?? {});
		const outcome = await outcomeOf(cache, step.query === undefined ? url : `${url}?${step.query}`, step.part);
		if (expect === 'meanwhile') await refreshed(cache, stage.origin, before);

		const seen = stage.origin.requests.slice(before);
		const where = `request ${index + 1} of ${row.steps.length}`;
		const old = step.from === undefined ? last : answered[step.from - 1];
		t.is(seen.length, expect === 'cached' ? 0 : 1, `${where}: how often the origin was asked`);
		t.deepEqual(outcome, expectedOutcome(step, expect, body, old), `${where}: what the client got`);
		const carried = carriedOf(expect);
		const headers = Object.keys(carried).map(name => [name, seen[0]?.headers[name]]);
		t.deepEqual(Object.fromEntries(headers), carried, `${where}: what the origin was asked with`);

		if (isAsked(expect)) last = answered[index] = outcome;
		stage.clock.advance((step.pauseS ?? 0) * 1000);
	}
}

/** Waits for what goes on behind a reader's back. */
async function refreshed(cache: UrlCache, {requests}: ScriptedOrigin, before: number): Promise<void> {
	await until('the origin was asked meanwhile', () => requests[before]?.status, DEADLINE_MS);
	await until('its answer is there', () => cache.stats().downloads_running === 0, DEADLINE_MS);
}

async function outcomeOf(cache: UrlCache, url: string, part: Step['part']): Promise<Outcome> {
	let version: Version | undefined;
	try {
		version = await cache.open(url);
		await version.whole();
		const [start, end] = part ?? [0, version.sizeBytes];
		const buffer = Buffer.alloc(end - start);
		const length = await version.read(buffer, start);
		return {bytes: String(buffer.subarray(0, length))};
	} catch (error) {
		if (error instanceof CacheError) return {error: error.code};
		throw error;
	} finally {
		version?.close();
	}
}

function isAsked(expect: Expectation): boolean {
	return expect === 'asked' || (typeof expect === 'object' && 'asked' in expect);
}

/** @param old - what came before; part of it where a part is read. */
function expectedOutcome(step: Step, expect: Expectation, body: string, old: Outcome | undefined): Outcome | undefined {
	if (isAsked(expect)) return answerOf(step, body);
	if (step.part === undefined || old === undefined || 'error' in old) return old;
	return {bytes: old.bytes.slice(...step.part)};
}

function answerOf({status = 200, closes}: Step, body: string): Outcome {
	if (closes) return {error: 'origin-unreachable'};
	return WHOLE.has(status) ? {bytes: body} : {error: CODES[status] ?? 'origin-failed'};
}

function carriedOf(expect: Expectation): Carried {
	if (typeof expect !== 'object') return {};
	return 'asked' in expect ? expect.asked : expect.validated;
}
