import {TwoTierCache, type MemoryLimits} from '../cache/media-cache.js';
import {openCache, type CacheOptions} from './open.js';

export interface MediaCacheOptions extends Partial<MemoryLimits>, Omit<CacheOptions, 'directory' | 'maxSizeBytes'> {
	/** Cap on what the cache takes on the disk, in MiB. */
	readonly maxSizeMb?: number;
}

/**
 * A disk-backed cache of media, so that the same URL is never fetched twice.
 *
 * ```ts
 * const cache = new MediaCache('media_cache', {maxSizeMb: 500, maxMemoryItems: 64});
 * const {data, mimetype, filename} = await cache.getOrDownload('https://a.example/x.gif');
 * ```
 *
 * @throws RangeError for limits that are not numbers of 0 or more.
 */
export class MediaCache extends TwoTierCache {
	constructor(cacheDir = 'media_cache', options: MediaCacheOptions = {}) {
		const {maxSizeMb = 500, maxMemoryItems = 64, maxMemoryBytes = 64 * 1024 * 1024, ...rest} = options;
		for (const [name, value] of Object.entries({maxSizeMb, maxMemoryItems, maxMemoryBytes})) {
			if (!(value >= 0)) throw new RangeError(`${name} is ${value}, not a number of 0 or more`);
		}

		super(openCache({directory: cacheDir, maxSizeBytes: maxSizeMb * 1024 * 1024, ...rest}), {
			maxMemoryItems,
			maxMemoryBytes,
		});
	}
}
