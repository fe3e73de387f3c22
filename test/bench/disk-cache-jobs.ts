/** What a process is told that has a disk-cache open: larder's, the original's, or a bare table. */
export const OPERATIONS = {
	'set': {calls: 10_000, says: 'set of 1 KiB'},
	'get': {calls: 100_000, says: 'get of 1 KiB'},
	'miss': {calls: 100_000, says: 'get of nothing'},
	'lru-get': {calls: 50_000, says: 'get of 1 KiB, least recently used'},
	'incr': {calls: 20_000, says: 'incr'},
	'delete': {calls: 10_000, says: 'delete'},
	'set-large': {calls: 1000, says: 'set of 64 KiB'},
	'push-pull': {calls: 10_000, says: 'push and pull'},
	'deque': {calls: 10_000, says: 'append and popleft of a deque'},
	'index': {calls: 10_000, says: 'set and get of an index'},
	'mixed': {calls: 10_000, says: '90 % get, 9 % set, 1 % delete, FanoutCache of 8 processes'},
} as const;

export type Operation = keyof typeof OPERATIONS;

export type DiskCacheJob =
	/** Opens the cache in a directory, in the place of the one before. */
	| {readonly kind: 'open'; readonly directory: string}
	/** So many of an operation. `get` and `delete` are of the keys that `set` has set. */
	| {readonly kind: Operation; readonly calls: number};

export const SMALL_BYTES = 1024;
export const LARGE_BYTES = 65_536;
/** Keys of `mixed`. */
export const MIXED_KEYS = 100;
/** Keys of `lru-get`, which are there from the beginning. */
export const LRU_KEYS = 1000;
