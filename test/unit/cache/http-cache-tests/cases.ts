/** The cases that apply to a cache like ours, by the names of the suite's files. */
import type {Case} from './case.js';
import {EXPIRES_FRESHNESS, EXPIRES_PARSE, HEURISTIC_FRESHNESS} from './dated-freshness.js';
import {AGE_PARSE, CC_FRESHNESS, CC_PARSE} from './explicit-freshness.js';
import {CC_RESPONSE, INTERIM, OTHER, PARTIAL, PRAGMA, STATUS} from './storing.js';
import type {SUITE} from './suite.js';
import {CONDITIONAL_ETAG, STALE, UPDATE_304} from './validating.js';
import {VARY, VARY_PARSE} from './vary.js';

export const CASES = {
	'cc-freshness': CC_FRESHNESS,
	'cc-parse': CC_PARSE,
	'age-parse': AGE_PARSE,
	'expires-freshness': EXPIRES_FRESHNESS,
	'expires-parse': EXPIRES_PARSE,
	'cc-response': CC_RESPONSE,
	'stale': STALE,
	'heuristic-freshness': HEURISTIC_FRESHNESS,
	'status': STATUS,
	'pragma': PRAGMA,
	'vary': VARY,
	'vary-parse': VARY_PARSE,
	'conditional-etag': CONDITIONAL_ETAG,
	'update304': UPDATE_304,
	'partial': PARTIAL,
	'other': OTHER,
	'interim': INTERIM,
} as const satisfies Partial<Record<keyof typeof SUITE, readonly Case[]>>;
