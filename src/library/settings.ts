import type {Log} from '../base/log.js';
import {formatDuration, formatSize} from '../base/units.js';
import type {OptionName, Settings} from '../config/options.js';
import type {Surroundings} from '../config/xdg.js';
import type {GuardPolicy} from '../http/guard.js';
import {openCache, type Limits, type UrlCache} from './open.js';
import {requestOptionsOf} from './requests.js';

/** The settings that are limits of the directory. */
export const LIMIT_OPTIONS = ['max-size', 'max-entries', 'max-age', 'min-free', 'policy'] as const;

export type LimitOption = (typeof LIMIT_OPTIONS)[number] & OptionName;

/** What the settings of these names say of the directory. */
export function limitsOf(settings: Settings, names: readonly LimitOption[] = LIMIT_OPTIONS): Partial<Limits> {
	const limits: Record<LimitOption, Partial<Limits>> = {
		'max-size': {maxBytes: settings.maxSize},
		'max-entries': {maxEntries: settings.maxEntries},
		'max-age': {maxAgeMs: settings.maxAge},
		'min-free': {minFreeBytes: settings.minFree},
		'policy': {policy: settings.policy},
	};
	return Object.assign({}, ...names.map(name => limits[name])) as Partial<Limits>;
}

/** As a person writes them in the settings. */
export function describeLimits({maxBytes, maxEntries, maxAgeMs, minFreeBytes, policy}: Limits) {
	return {
		maxSize: formatSize(maxBytes),
		...(maxEntries !== Infinity && {maxEntries}),
		...(maxAgeMs !== Infinity && {maxAge: formatDuration(maxAgeMs)}),
		...(minFreeBytes > 0 && {minFree: formatSize(minFreeBytes)}),
		policy,
	};
}

/** A drive that others may use is no way for them into the networks of its owner. */
function guardOf({networks, allowOther, allowHosts, denyHosts, maxFileSize: maxBytes}: Settings): GuardPolicy {
	const automatic = allowOther ? 'public' : 'all';
	return {networks: networks === 'auto' ? automatic : networks, allowHosts, denyHosts, maxBytes};
}

export interface CacheContext {
	/** What is said of the directory; the rest is as others have said. */
	readonly limits: Partial<Limits>;
	/** Said as well, unless another process has said otherwise. */
	readonly preferred?: Partial<Limits>;
	readonly log: Log;
	readonly searchPath: string;
	readonly surroundings: Pick<Surroundings, 'env' | 'proxyFor'>;
}

/**
 * A cache as the settings of the program describe it.
 *
 * @throws UsageError for a file that they name and that is not what it should be.
 */
export function openCacheWith(settings: Settings, {surroundings, ...context}: CacheContext): UrlCache {
	return openCache({
		directory: settings.cacheDir,
		reencodeGif: settings.reencodeGif,
		ffmpegPath: settings.ffmpeg,
		maxDownloads: settings.maxDownloads,
		maxDownloadsPerHost: settings.maxDownloadsPerHost,
		bytesPerSecond: settings.bwlimit,
		fill: settings.fill,
		streamUnknown: settings.streamUnknown,
		offline: settings.offline,
		freshness: settings.freshness,
		http: {
			connectTimeoutMs: settings.connectTimeout,
			headersTimeoutMs: settings.headersTimeout,
			idleTimeoutMs: settings.idleTimeout,
			maxRedirects: settings.maxRedirects,
			retries: settings.retries,
			userAgent: settings.userAgent,
			guard: guardOf(settings),
			...requestOptionsOf(settings, surroundings, context.log),
		},
		...context,
	});
}
