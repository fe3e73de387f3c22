/** What leaves first when a cache is full. */
export interface EvictionPolicy {
	/** Makes the index that `cull` goes by; not before the cache is full for the first time. */
	readonly init: string | null;
	/** What a get notes of a row, or nothing. */
	readonly get: 'access_time' | 'access_count' | null;
	/** WHERE, if not all may leave: SQL over the columns of a row, with `@now` in seconds since the epoch. */
	readonly where?: string;
	/** ORDER BY: what leaves first; null for nothing. */
	readonly cull: string | null;
}

export type EvictionPolicyName =
	| 'none'
	| 'least-recently-stored'
	| 'least-recently-used'
	| 'least-frequently-used'
	// One of the caller's: with this the names above are still proposed.
	| (string & Record<never, never>);

const LEAST_RECENTLY_STORED: EvictionPolicy = {
	init: 'CREATE INDEX IF NOT EXISTS Cache_store_time ON Cache (store_time)',
	get: null,
	cull: 'store_time',
};

/**
 * By name. A policy of one's own is added as a row, in each process that has the
 * cache open, before it is opened there.
 */
export const EVICTION_POLICY: Record<EvictionPolicyName, EvictionPolicy> = {
	'none': {init: null, get: null, cull: null},
	'least-recently-stored': LEAST_RECENTLY_STORED,
	'least-recently-used': {
		init: 'CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)',
		get: 'access_time',
		cull: 'access_time',
	},
	'least-frequently-used': {
		init: 'CREATE INDEX IF NOT EXISTS Cache_access_count ON Cache (access_count)',
		get: 'access_count',
		cull: 'access_count',
	},
};

export function isEvictionPolicyName(name: unknown): name is EvictionPolicyName {
	return typeof name === 'string' && Object.hasOwn(EVICTION_POLICY, name);
}

/** Of one that another process has added, and this one does not know, the default: the cache stays within its limit. */
export function policyOf(name: EvictionPolicyName): EvictionPolicy {
	return isEvictionPolicyName(name) ? (EVICTION_POLICY[name] ?? LEAST_RECENTLY_STORED) : LEAST_RECENTLY_STORED;
}
