/** The cases of the suite that say nothing about a cache like ours, and why. */
import {SUITE} from './suite.js';

export interface NotApplicable {
	readonly why: string;
	readonly ids: readonly string[];
}

export const NOT_APPLICABLE: readonly NotApplicable[] = [
	{
		why: 'it is about shared caches, and ours is private',
		ids: [
			'freshness-s-maxage-shared',
			'freshness-max-age-s-maxage-shared-longer',
			'freshness-max-age-s-maxage-shared-longer-reversed',
			'freshness-max-age-s-maxage-shared-longer-multiple',
			'freshness-max-age-s-maxage-shared-shorter',
			'freshness-max-age-s-maxage-shared-shorter-expires',
			'cc-resp-private-shared',
			'stale-close-proxy-revalidate',
			'stale-close-s-maxage=2',
			...SUITE.authorization,
		],
	},
	{why: 'it is about caches of a CDN, which CDN-Cache-Control is for', ids: SUITE['cdn-cache-control']},
	{
		why: 'its client sends directives with its request; who reads a file has no way to',
		ids: [...SUITE['cc-request'], 'pragma-request-no-cache', 'pragma-request-extension'],
	},
	{
		why: 'its client makes a conditional request of its own; who reads a file has no way to',
		ids: [
			...SUITE['conditional-lm'],
			...SUITE['conditional-etag'].filter(id => /-respond|-304-|-precedence|-forward/.test(id)),
		],
	},
	{
		why: 'its client asks for a range and is answered 206; which parts of a file are fetched is ours to decide',
		ids: [
			'partial-store-partial-reuse-partial',
			'partial-store-partial-reuse-partial-byterange',
			'partial-store-partial-reuse-partial-absent',
			'partial-store-partial-reuse-partial-suffix',
			'partial-store-partial-complete',
		],
	},
	{
		why: 'its client sends another method than GET',
		ids: [...SUITE.method, ...SUITE.invalidation, ...SUITE['update-head']],
	},
	{
		why: 'its client sends a header twice, which ours never does',
		ids: ['vary-normalise-combine'],
	},
	{
		why: 'it is about the headers of the answer, and who reads a file gets none',
		ids: [
			...SUITE.headers,
			'headers-omit-headers-listed-in-Cache-Control-no-cache-single',
			'headers-omit-headers-listed-in-Cache-Control-no-cache',
			'stale-warning-stored',
			'stale-warning-become',
			...SUITE.update304.filter(id => !/Test-Header$|Cache-Control$|Content-Length$/.test(id)),
			'304-etag-update-response-X-Test-Header',
			'partial-use-headers',
			'partial-use-stored-headers',
			...SUITE.other.filter(id => /-age-|-date-/.test(id)),
		],
	},
	{
		why: 'it is about handing on an answer before the answer, and who reads a file gets none',
		ids: ['interim-102', 'interim-103', 'interim-no-header-reuse'],
	},
	{
		why: 'it is about handing on a redirect that leads nowhere; ours are followed',
		ids: SUITE.status.filter(id => /^status-3/.test(id)),
	},
];
