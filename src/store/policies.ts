/** When an entry was stored and how it has been used, by the names of the catalogue's columns. */
export interface Use {
	/** Epoch milliseconds. */
	readonly stored_at: number;
	/** Epoch milliseconds. */
	readonly accessed_at: number;
	/** Times it was opened. */
	readonly accesses: number;
}

export interface EvictionPolicy {
	/** ORDER BY: what has the least leaves first. */
	readonly order: ReadonlyArray<keyof Use>;
}

/**
 * What leaves first. Pinned and open entries are never asked about. A row makes
 * the index that answers it.
 *
 * @see `EVICTION_POLICY` in DiskCache's `core.py`
 */
export const POLICIES = {
	'least-recently-used': {order: ['accessed_at']},
	'least-frequently-used': {order: ['accesses', 'accessed_at']},
	'least-recently-stored': {order: ['stored_at']},
	/** Nothing leaves for want of room: what is new is refused. */
	'none': undefined,
} as const satisfies Record<string, EvictionPolicy | undefined>;

export type PolicyName = keyof typeof POLICIES;

export function isPolicyName(name: unknown): name is PolicyName {
	return typeof name === 'string' && Object.hasOwn(POLICIES, name);
}
