import {TwoTierCache, type MemoryLimits} from '../cache/media-cache.js';
import {isPolicyName, POLICIES} from '../store/policies.js';
import {openCache, type CacheOptions, type Limits} from './open.js';

export interface MediaCacheOptions
	extends
		Partial<MemoryLimits>,
		Partial<Omit<Limits, 'maxBytes'>>,
		Omit<CacheOptions, 'directory' | 'limits' | 'preferred' | 'defaults' | 'streamUnknown'> {
	/**
	 * Cap on what the cache takes on the disk, in MiB. As the other limits it
	 * belongs to the directory: where it is left out, that of the last who said
	 * one counts, else 500.
	 */
	readonly maxSizeMb?: number;
}

const MIB = 1024 * 1024;
const DEFAULT_MAX_SIZE_MB = 500;

/**
 * A disk-backed cache of media, so that the same URL is never fetched twice.
 *
 * ```ts
 * const cache = new MediaCache('media_cache', {maxSizeMb: 500, maxMemoryItems: 64});
 * const {data, mimetype, filename} = await cache.getOrDownload('https://a.example/x.gif');
 * ```
 *
 * @throws RangeError for limits that are not numbers of 0 or more, or no policy; CacheError
 *   `not-permitted` while another process keeps the directory within others.
 */
export class MediaCache extends TwoTierCache {
	constructor(cacheDir = 'media_cache', options: MediaCacheOptions = {}) {
		const {maxMemoryItems = 64, maxMemoryBytes = 64 * MIB} = options;
		const {maxSizeMb, maxEntries, maxAgeMs, minFreeBytes, policy, ...rest} = options;
		const amounts = {maxSizeMb, maxEntries, maxAgeMs, minFreeBytes, maxMemoryItems, maxMemoryBytes};
		for (const [name, value] of Object.entries(amounts)) {
			if (value !== undefined && !(value >= 0)) {
				throw new RangeError(`${name} is ${value}, not a number of 0 or more`);
			}
		}

		if (policy !== undefined && !isPolicyName(policy)) {
			throw new RangeError(`policy is ${String(policy)}, not one of ${Object.keys(POLICIES).join(', ')}`);
		}

		const limits = {
			...(maxSizeMb !== undefined && {maxBytes: maxSizeMb * MIB}),
			...(maxEntries !== undefined && {maxEntries}),
			...(maxAgeMs !== undefined && {maxAgeMs}),
			...(minFreeBytes !== undefined && {minFreeBytes}),
			...(policy !== undefined && {policy}),
		};
		const defaults = {maxBytes: DEFAULT_MAX_SIZE_MB * MIB};
		super(openCache({directory: cacheDir, ...rest, limits, defaults}), {maxMemoryItems, maxMemoryBytes});
	}
}
