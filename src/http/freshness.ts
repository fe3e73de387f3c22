/** What counts as fresh: the decision. What follows from it is in `cache/revalidate.ts`. */
import CachePolicy from 'http-cache-semantics';
import type {FreshnessRule} from '../base/host-rule.js';
import {canonicalCacheControl} from './cache-control.js';
import {isSelectedBy, type CachingFacts} from './caching-facts.js';
import {parseHttpDate} from './http-date.js';

export type {FreshnessRule};

export type Freshness =
	/** Used as it is. */
	| 'fresh'
	/** Used as it is, and asked about meanwhile (RFC 5861 section 3). */
	| 'stale-while-revalidate'
	/** Asked about first, and used where there is no answer (RFC 5861 section 4: by default, and without an end). */
	| 'stale'
	/** Never used without an answer: its origin has said so (RFC 9111 section 4.2.4). */
	| 'must-revalidate';

/** What is known of what is stored. */
export interface StoredFacts {
	/** Epoch milliseconds. */
	readonly storedAtMs: number;
	/** Undefined where its origin's headers are not known. */
	readonly caching: CachingFacts | undefined;
	readonly lastModifiedMs: number | undefined;
	/** Written by hand: nobody has it to ask about. */
	readonly isPut: boolean;
}

/** 404 and 410 are remembered so long where they say nothing of it. */
const ABSENT_MS = 30_000;
/** However long they say: a file that has come is not to stay hidden. */
const MAX_ABSENT_MS = 60 * 60 * 1000;
/** A permanent redirect that says nothing of it holds so long under `http` (RFC 9111 section 4.2.2 leaves it open). */
const MOVED_MS = 24 * 60 * 60 * 1000;

export class FreshnessRules {
	/**
	 * @param ruleOf - the rule for a URL.
	 * @param requestHeaders - what a request for a URL has now, by lower-case name: `Vary` may ask.
	 */
	constructor(
		private readonly ruleOf: (url: string) => FreshnessRule,
		private readonly requestHeaders: (url: string) => Readonly<Record<string, string>> = () => ({}),
	) {}

	judge(url: string, {storedAtMs, caching, lastModifiedMs, isPut}: StoredFacts, nowMs: number): Freshness {
		const rule = this.ruleOf(url);
		if (rule === 'forever' || isPut) return 'fresh';
		if (rule !== 'http') return isWithin(Math.max(storedAtMs, receivedAtMs(caching)), nowMs, rule) ? 'fresh' : 'stale';
		if (caching === undefined) return 'stale';
		if (!isSelectedBy(caching, this.requestHeaders(url))) return 'must-revalidate';
		return judgeByHeaders(caching, lastModifiedMs, nowMs);
	}

	/** For how long what is stored will be fresh, in ms; Infinity where it always is. */
	freshForMs(url: string, facts: StoredFacts, nowMs: number): number {
		const rule = this.ruleOf(url);
		const {storedAtMs, caching, lastModifiedMs, isPut} = facts;
		if (rule === 'forever' || isPut) return Infinity;
		if (this.judge(url, facts, nowMs) !== 'fresh') return 0;
		if (rule !== 'http') return Math.max(storedAtMs, receivedAtMs(caching)) + rule - nowMs;
		const policy = caching && policyOf(caching, {nowMs, lastModifiedMs});
		return policy === undefined ? 0 : Math.max(0, (policy.maxAge() - policy.age()) * 1000);
	}

	/** Whether a body may be kept for later readers. */
	mayKeep(url: string, caching: CachingFacts | undefined): boolean {
		return this.ruleOf(url) !== 'http' || caching === undefined || policyOf(caching).storable();
	}

	/** For how long a URL that was answered with `status` 404 or 410 is not asked for again, in ms. */
	absentForMs(status: number, caching: CachingFacts, nowMs: number): number {
		return Math.min(remainingMs(status, caching, nowMs) ?? ABSENT_MS, MAX_ABSENT_MS);
	}

	/**
	 * For how long a URL that was redirected for good is taken for the one that it
	 * led to, in ms.
	 *
	 * @param redirects - the answers that led there.
	 */
	movedForMs(url: string, redirects: readonly CachingFacts[], nowMs: number): number {
		const rule = this.ruleOf(url);
		if (rule === 'forever') return Infinity;
		if (rule !== 'http') return rule;
		return Math.min(...redirects.map(caching => remainingMs(301, caching, nowMs) ?? MOVED_MS));
	}
}

function judgeByHeaders(caching: CachingFacts, lastModifiedMs: number | undefined, nowMs: number): Freshness {
	// A clock that was set back says nothing of an age.
	if (nowMs < receivedAtMs(caching)) return 'stale';
	const policy = policyOf(caching, {nowMs, lastModifiedMs});
	const {directives} = understandingOf(caching, {lastModifiedMs});
	// RFC 9111 section 5.4: where there is no Cache-Control, a Pragma stands for it.
	const isLegacyNoCache =
		caching.headers['cache-control'] === undefined && /no-cache/.test(caching.headers['pragma'] ?? '');
	const isNoCache = directives.has('no-cache') || isLegacyNoCache;
	if (!isNoCache && !policy.stale()) return 'fresh';
	if (isNoCache || directives.has('must-revalidate')) return 'must-revalidate';
	const staleForS = policy.age() - policy.maxAge();
	if (staleForS < secondsOf(directives.get('stale-while-revalidate'))) return 'stale-while-revalidate';
	const limit = directives.get('stale-if-error');
	return limit === undefined || staleForS < secondsOf(limit) ? 'stale' : 'must-revalidate';
}

/** What an answer without a body says of itself; undefined where it says nothing. */
function remainingMs(status: number, caching: CachingFacts, nowMs: number): number | undefined {
	const policy = policyOf(caching, {nowMs, status});
	const {directives} = understandingOf(caching, {status});
	if (!policy.storable() || directives.has('no-cache')) return 0;
	if (!directives.has('max-age') && caching.headers['expires'] === undefined) return undefined;
	return Math.max(0, (policy.maxAge() - policy.age()) * 1000);
}

interface Circumstances {
	readonly nowMs?: number;
	readonly lastModifiedMs?: number | undefined;
	readonly status?: number;
}

/** RFC 9111 section 5.1: a number of seconds, the first of a list; anything else counts for nothing. */
const AGE = /^\d+(?=\s*(?:[,;]|$))/;

/** What the library has made of an answer. */
interface Understood {
	readonly lastModifiedMs: number | undefined;
	readonly status: number;
	readonly policy: CachePolicy.CachePolicyObject;
	/** Of Cache-Control, with what is behind `=`. */
	readonly directives: ReadonlyMap<string, string>;
}

/** By what they were made of: an answer that stays in memory is asked about again and again. */
const UNDERSTOOD = new WeakMap<CachingFacts, Understood>();

function understandingOf(caching: CachingFacts, {lastModifiedMs, status = 200}: Circumstances): Understood {
	const known = UNDERSTOOD.get(caching);
	if (known?.status === status && known.lastModifiedMs === lastModifiedMs) return known;
	const policy = understand(caching, lastModifiedMs, status);
	const understood = {lastModifiedMs, status, policy, directives: directivesOf(caching)};
	UNDERSTOOD.set(caching, understood);
	return understood;
}

/** The library's object as if it had been made when the answer came, and were asked at `nowMs`. */
function policyOf(caching: CachingFacts, circumstances: Circumstances = {}): CachePolicy {
	const {nowMs = receivedAtMs(caching)} = circumstances;
	const {policy} = understandingOf(caching, circumstances);
	return Object.assign(CachePolicy.fromObject(policy), {now: () => nowMs});
}

function understand(caching: CachingFacts, lastModifiedMs: number | undefined, status: number) {
	const {'cache-control': control, expires, age, ...others} = caching.headers;
	const expiresAtMs = expires === undefined ? undefined : parseHttpDate(expires, receivedAtMs(caching));
	const headers = {
		...others,
		...(age !== undefined && {age: AGE.exec(age)?.[0] ?? '0'}),
		...(control !== undefined && {'cache-control': asUnderstood(canonicalCacheControl(control))}),
		// What is no date is a time that has passed: RFC 9111 section 5.3.
		...(expires !== undefined && {expires: expiresAtMs === undefined ? '0' : new Date(expiresAtMs).toUTCString()}),
		...(lastModifiedMs !== undefined && {'last-modified': new Date(lastModifiedMs).toUTCString()}),
	};
	const made = new CachePolicy({headers: {}}, {status, headers}, {shared: false});
	return {...made.toObject(), t: receivedAtMs(caching)};
}

/** The status is one that is understood: no-store is for who does not (RFC 9111 section 5.2.2.3). */
function asUnderstood(control: string): string {
	return /\bmust-understand\b/.test(control) ? control.replace(/\bno-store\b/, 'understood') : control;
}

function directivesOf({headers}: CachingFacts): Map<string, string> {
	const directives = canonicalCacheControl(headers['cache-control'] ?? '').split(', ');
	return new Map(directives.map(directive => directive.split('=', 2)).map(([name = '', value = '']) => [name, value]));
}

/** What is no number is none. */
function secondsOf(value = '0'): number {
	return Number.parseInt(value, 10) || 0;
}

function receivedAtMs(caching: CachingFacts | undefined): number {
	return (caching?.received ?? 0) * 1000;
}

function isWithin(sinceMs: number, nowMs: number, limitMs: number): boolean {
	return nowMs >= sinceMs && nowMs - sinceMs < limitMs;
}
