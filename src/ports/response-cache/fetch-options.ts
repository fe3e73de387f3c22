import type {Clock} from '../../base/clock.js';
import type {FreshnessRule} from '../../http/freshness.js';
import type {CacheMode} from './request-control.js';
import type {FileBackend, FileBackendOptions} from './file-backend.js';

export interface CachedFetchOptions extends FileBackendOptions {
	/** Where responses are kept; a `FileBackend` of `cacheName` unless told. */
	readonly backend?: FileBackend;
	/** `http_cache` unless told. */
	readonly cacheName?: string;
	/**
	 * What counts as fresh: as the origin says (RFC 9111), for ever, or for so many
	 * milliseconds after it was stored; 0 keeps nothing. `http` unless told. May be another for each URL.
	 */
	readonly freshness?: FreshnessRule | ((url: string) => FreshnessRule);
	/** What asks origins: Node's own `fetch` unless told. */
	readonly fetch?: typeof globalThis.fetch;
	/** How long an origin is waited for where something stale may be used instead, in ms; 5,000 unless told. */
	readonly patienceMs?: number;
	readonly clock?: Clock;
}

/** What `fetch` takes, and the rule for this request alone. */
export interface CachedRequestInit extends RequestInit {
	readonly freshness?: FreshnessRule;
	/** As the fetch standard has it. `only-if-cached` needs no `mode`. */
	readonly cache?: CacheMode;
}
