/** Whether a stored response may be used for a request. */
import {isSelectedBy} from '../../http/caching-facts.js';
import {FreshnessRules, type Freshness, type FreshnessRule} from '../../http/freshness.js';
import {parseHttpDate} from '../../http/http-date.js';
import type {BodyVersion} from '../../http/validators.js';
import type {ResponseHead} from './head.js';
import type {RequestControl} from './request-control.js';

export interface Question {
	readonly rule: FreshnessRule;
	readonly control: RequestControl;
	/** By lower-case name. */
	readonly requestHeaders: Readonly<Record<string, string>>;
	readonly nowMs: number;
}

/** @see FreshnessRules, and RFC 9111 section 5.2.1 for what the request may say */
export function judge(head: ResponseHead, {rule, control, requestHeaders, nowMs}: Question): Freshness {
	// Another variant is none that may be used, whatever the rule.
	if (!isSelectedBy(head.caching, requestHeaders)) return 'must-revalidate';
	if (control.anyAge) return 'fresh';
	const rules = new FreshnessRules(
		() => rule,
		() => requestHeaders,
	);
	const facts = {
		storedAtMs: head.storedAtMs,
		caching: head.caching,
		lastModifiedMs: versionOf(head).lastModifiedMs,
		isPut: false,
	};
	// What is absent is used until it expires.
	const at = (ms: number) => (head.untilMs === undefined ? rules.judge(head.requestUrl, facts, ms) : 'fresh');
	const receivedMs = head.caching.received * 1000;
	const ageS = (nowMs - receivedMs) / 1000 + (Number.parseInt(head.caching.headers['age'] ?? '', 10) || 0);
	const verdict = at(nowMs);
	if (verdict === 'must-revalidate') return verdict;
	if (control.mustAsk || ageS > control.maxAgeS) return 'must-revalidate';
	if (verdict === 'fresh')
		return control.minFreshS > 0 && at(nowMs + control.minFreshS * 1000) !== 'fresh' ? 'stale' : verdict;
	const isStaleEnough = control.maxStaleS > 0 && at(Math.max(receivedMs, nowMs - control.maxStaleS * 1000)) === 'fresh';
	return isStaleEnough ? 'fresh' : verdict;
}

/** By what it is asked whether it has changed. */
export function versionOf({headers, storedAtMs}: ResponseHead): BodyVersion {
	const header = (wanted: string) => headers.find(([name]) => name === wanted)?.[1];
	const lastModified = header('last-modified');
	return {etag: header('etag'), lastModifiedMs: (lastModified && parseHttpDate(lastModified, storedAtMs)) || undefined};
}
