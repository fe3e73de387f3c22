import type {UrlCache} from '../../cache/url-cache.js';

/** `stats.json`: the original's statistics, and ours beside them. */
export function renderStats(cache: UrlCache): string {
	return JSON.stringify(cache.stats(), undefined, 2) + '\n';
}
