import type {Key, VersionId} from '../cache/url-cache.js';
import type {Version} from '../cache/version.js';

/** By then whoever was told to look a name up again has opened what it found. */
const LEASE_MS = 1000;

interface Lease {
	readonly version: Version;
	readonly timer: NodeJS.Timeout;
}

/**
 * Versions that were opened for an inode that is of another one, kept for the
 * inode that its opener is about to find: so nobody is asked twice.
 */
export class Leases {
	readonly #leases = new Map<Key, Lease>();

	/** It is closed after a while, if nobody has taken it. */
	keep(key: Key, version: Version): void {
		this.#take(key)?.close();
		const timer = setTimeout(() => this.#take(key)?.close(), LEASE_MS).unref();
		this.#leases.set(key, {version, timer});
	}

	/** What is kept of a key; undefined where that is not what there is by `now`. */
	take(key: Key, now: () => VersionId | undefined): Version | undefined {
		const version = this.#take(key);
		if (version === undefined || version.id.isSame(now())) return version;
		version.close();
		return undefined;
	}

	#take(key: Key): Version | undefined {
		const lease = this.#leases.get(key);
		if (lease === undefined) return undefined;
		clearTimeout(lease.timer);
		this.#leases.delete(key);
		return lease.version;
	}
}
