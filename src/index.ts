/** larder as a library. */
export {CacheError, ERROR_CODES, type ErrorCode} from './base/errors.js';
export type {Downloader} from './cache/media-cache.js';
export type {Media} from './cache/source.js';
export type {CacheStats} from './cache/stats.js';
export {MediaCache, type MediaCacheOptions} from './library/media-cache.js';
