import type {Clock} from '../base/clock.js';
import type {UrlCache} from '../cache/url-cache.js';
import type {Leases} from './leases.js';
import type {OpenFiles} from './open-files.js';

/** What the inodes of a drive have in common. */
export interface DriveContext {
	readonly cache: UrlCache;
	readonly openFiles: OpenFiles;
	readonly leases: Leases;
	/** Who reads may be given what has no size yet. */
	readonly mayStream: boolean;
	readonly isReadOnly: boolean;
	/** Other users than the one who mounted it may look. */
	readonly isShared: boolean;
	/** Epoch milliseconds: the time of what has none of its own. */
	readonly mountedAtMs: number;
	readonly clock: Clock;
}
