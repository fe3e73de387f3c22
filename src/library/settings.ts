import type {Log} from '../base/log.js';
import type {OptionName, Settings} from '../config/options.js';
import {openCache, type Limits, type UrlCache} from './open.js';

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

/**
 * A cache as the settings of the program describe it.
 *
 * @param limits - what is said of the directory; the rest is as others have said.
 */
export function openCacheWith(
	settings: Settings,
	{limits, ...context}: {limits: Partial<Limits>; log: Log; searchPath: string},
): UrlCache {
	return openCache({
		directory: settings.cacheDir,
		limits,
		reencodeGif: settings.reencodeGif,
		ffmpegPath: settings.ffmpeg,
		maxDownloads: settings.maxDownloads,
		http: {
			connectTimeoutMs: settings.connectTimeout,
			headersTimeoutMs: settings.headersTimeout,
			idleTimeoutMs: settings.idleTimeout,
			maxRedirects: settings.maxRedirects,
			retries: settings.retries,
			userAgent: settings.userAgent,
		},
		...context,
	});
}
