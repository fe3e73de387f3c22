/** `larder/ttl-cache`: values with a time to live, in hashed JSON files. */
export {cacheKeys, type ListedKey} from './keys.js';
export type {CacheEntry} from './entry.js';
export type {JsonValue} from './json.js';
export {limitCache, type CacheLimits} from './limits.js';
export {cachePath} from './path.js';
export {MISSING, readCache, readCacheEntry} from './read.js';
export {refreshCache, type Loaded, type RefreshOptions} from './refresh.js';
export {refreshCacheTs} from './refresh-ts.js';
export {sweepCache, type Swept} from './sweep.js';
export {writeCache} from './write.js';
