/** larder/disk-cache: a cache on the disk for any values, with what can be built on it. */
export {Cache, type PeekItemOptions} from './cache.js';
export {ENOVAL, UNKNOWN} from './constants.js';
export {Disk, MODE, type DiskClass, type DiskOptions, type StoredKey, type StoredValue} from './disk.js';
export {CheckWarning, EmptyDirWarning, FormatError, KeyError, Timeout, UnknownFileWarning} from './errors.js';
export {JSONDisk} from './json-disk.js';
export type {Memoized, MemoizeOptions, Memoizer} from './memoize.js';
export type {CacheOptions, FieldOptions, GetOptions, QueueOptions, RetryOptions, SetOptions, Side} from './options.js';
export type {StreamOptions, Tag} from './options.js';
export {EVICTION_POLICY, type EvictionPolicy, type EvictionPolicyName} from './policies.js';
export {DEFAULT_SETTINGS, type SettingName, type Settings} from './settings.js';
