/** What leaves first when a cache is full. */
export interface EvictionPolicy {
	/** Makes the index that `cull` goes by; not before the cache is full for the first time. */
	readonly init: string | null;
	/** What a get notes of a row, or nothing. */
	readonly get: 'access_time' | 'access_count' | null;
	/** ORDER BY: what leaves first. */
	readonly cull: string | null;
}

export const EVICTION_POLICY = {
	'none': {init: null, get: null, cull: null},
	'least-recently-stored': {
		init: 'CREATE INDEX IF NOT EXISTS Cache_store_time ON Cache (store_time)',
		get: null,
		cull: 'store_time',
	},
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
} as const satisfies Record<string, EvictionPolicy>;

export type EvictionPolicyName = keyof typeof EVICTION_POLICY;

export function isEvictionPolicyName(name: unknown): name is EvictionPolicyName {
	return typeof name === 'string' && Object.hasOwn(EVICTION_POLICY, name);
}
