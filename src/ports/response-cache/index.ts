/** `larder/response-cache`: responses as files, and a fetch that goes by them. */
export {CacheError, ERROR_CODES, type ErrorCode} from '../../base/errors.js';
export type {FreshnessRule} from '../../base/host-rule.js';
export {cachedFetch, createCachedFetch, type CachedFetch} from './cached-fetch.js';
export type {CachedFetchOptions, CachedRequestInit} from './fetch-options.js';
export {CachedResponse} from './cached-response.js';
export type {KeyedRequest} from './cache-key.js';
export {FileBackend, type FileBackendOptions} from './file-backend.js';
export {FileCache, type FileCacheOptions, type Storable} from './file-cache.js';
export type {ResponseHead} from './head.js';
export type {Redirect, Redirects} from './redirects.js';
export type {CachedValue} from './value.js';
