/** What a request says of what it may be answered with. */
import {canonicalCacheControl} from '../../http/cache-control.js';
import type {FreshnessRule} from '../../http/freshness.js';

export interface RequestControl {
	/** Whether what is stored may be looked for. */
	readonly mayRead: boolean;
	/** Whether the answer may be kept. */
	readonly mayWrite: boolean;
	/** Asked about first, however fresh it is. */
	readonly mustAsk: boolean;
	/** Used however stale it is. */
	readonly anyAge: boolean;
	/** Nobody is asked: what is not stored is an answer 504, or a failed fetch. */
	readonly onlyIfCached: false | 'answer' | 'failure';
	/** RFC 9111 section 5.2.1, in seconds. */
	readonly maxAgeS: number;
	readonly minFreshS: number;
	readonly maxStaleS: number;
}

const PLAIN: RequestControl = {
	...{mayRead: true, mayWrite: true, mustAsk: false, anyAge: false, onlyIfCached: false},
	...{maxAgeS: Infinity, minFreshS: 0, maxStaleS: 0},
};

/** As `RequestInit.cache`, which the types of Node do not have. */
export type CacheMode = 'default' | 'no-store' | 'reload' | 'no-cache' | 'force-cache' | 'only-if-cached';

/** The cache modes of fetch. */
const MODES: Readonly<Record<CacheMode, Partial<RequestControl>>> = {
	'default': {},
	'no-store': {mayRead: false, mayWrite: false},
	'reload': {mayRead: false},
	'no-cache': {mustAsk: true},
	'force-cache': {anyAge: true},
	'only-if-cached': {anyAge: true, onlyIfCached: 'failure'},
};

type Named = Readonly<Record<string, string>>;

/** Who makes a conditional request has a cache of its own; a part of a body is not kept. */
const OWN_BUSINESS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'];

/**
 * @param headers - by lower-case name.
 * @param mode - what `RequestInit.cache` says, which counts under every rule.
 * @param rule - the directives of a request count under `http` alone.
 * @see https://fetch.spec.whatwg.org/#concept-request-cache-mode and RFC 9111 section 5.2.1
 */
export function requestControl(headers: Named, mode: CacheMode, rule: FreshnessRule): RequestControl {
	if (OWN_BUSINESS.some(name => headers[name] !== undefined)) return {...PLAIN, ...MODES['no-store']};
	const byRule = rule === 0 ? {mayWrite: false} : {};
	const byHeaders = rule === 'http' ? directives(headers) : {};
	return {...PLAIN, ...byHeaders, ...byRule, ...MODES[mode]};
}

function directives(headers: Named): Partial<RequestControl> {
	const header = headers['cache-control'] ?? (/no-cache/i.test(headers['pragma'] ?? '') ? 'no-cache' : '');
	if (header === '') return {};
	const pairs = canonicalCacheControl(header)
		.split(', ')
		.map(directive => directive.split('=', 2));
	const given = new Map(pairs.map(([name = '', value]) => [name, value]));
	const seconds = (name: string, otherwise: number) => {
		const value = Number.parseInt(given.get(name) ?? '', 10);
		return Number.isNaN(value) ? otherwise : value;
	};
	const isNoStore = given.has('no-store');
	return {
		mayRead: !isNoStore,
		mayWrite: !isNoStore,
		mustAsk: given.has('no-cache'),
		onlyIfCached: given.has('only-if-cached') ? 'answer' : false,
		maxAgeS: seconds('max-age', Infinity),
		minFreshS: seconds('min-fresh', 0),
		maxStaleS: given.has('max-stale') ? seconds('max-stale', Infinity) : 0,
	};
}
