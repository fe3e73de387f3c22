/**
 * Every case of the http-cache-tests suite by its id, as the files of its folder `tests/` have them,
 * so that none is left out without a word. See `docs/http-cache-tests.md` for the version.
 */

/** Of the headers that the suite stores and updates one by one, those that end with the connection. */
const OF_THE_CONNECTION = words(`
	Connection Keep-Alive Proxy-Authenticate Proxy-Authentication-Info Proxy-Authorization Proxy-Connection TE
	Transfer-Encoding Upgrade
`);
const OF_THE_ANSWER = words(`
	Test-Header X-Test-Header Content-Foo X-Content-Foo Cache-Control Content-Encoding Content-Length Content-Location
	Content-MD5 Content-Range Content-Security-Policy Content-Type Clear-Site-Data ETag Expires Public-Key-Pins
	Set-Cookie Set-Cookie2 X-Frame-Options X-XSS-Protection
`);

/** The statuses that are tried with an explicit lifetime, and those that are tried without one. */
const STATUSES = words('200 203 204 299 301 302 303 307 308 400 404 410 499 500 502 503 504 599');
const HEURISTIC_YES = words('200 203 204 404 405 410 414 501 599');
const HEURISTIC_NO = words('201 202 403 502 503 504 599');
const HEURISTIC_AGES = words('5 10 30 60 300 600 1200 1800 3600 43200 86400');

const METHODS = words('POST PUT DELETE M-SEARCH');

/** The ids by the name of their file, without `.mjs`. */
export const SUITE = {
	'cc-freshness': words(`
		freshness-none freshness-max-age freshness-max-age-stale freshness-max-age-0 freshness-max-age-max-minus-1
		freshness-max-age-max freshness-max-age-max-plus-1 freshness-max-age-max-plus freshness-max-age-age
		freshness-max-age-date freshness-max-age-expires freshness-max-age-expires-invalid freshness-max-age-0-expires
		freshness-max-age-extension freshness-max-age-case-insenstive freshness-max-age-negative
		freshness-max-age-s-maxage-private freshness-max-age-s-maxage-private-multiple freshness-s-maxage-shared
		freshness-max-age-s-maxage-shared-longer freshness-max-age-s-maxage-shared-longer-reversed
		freshness-max-age-s-maxage-shared-longer-multiple freshness-max-age-s-maxage-shared-shorter
		freshness-max-age-s-maxage-shared-shorter-expires
	`),
	'cc-parse': words(`
		freshness-max-age-two-fresh-stale-sameline freshness-max-age-two-fresh-stale-sepline
		freshness-max-age-two-stale-fresh-sameline freshness-max-age-two-stale-fresh-sepline freshness-max-age-quoted
		freshness-max-age-ignore-quoted freshness-max-age-ignore-quoted-rev freshness-max-age-space-before-equals
		freshness-max-age-space-after-equals freshness-max-age-leading-zero freshness-max-age-single-quoted
		freshness-max-age-decimal-zero freshness-max-age-decimal-five freshness-max-age-a100 freshness-max-age-100a
	`),
	'age-parse': words(`
		age-parse-nonnumeric age-parse-negative age-parse-float age-parse-large-minus-one age-parse-large
		age-parse-larger age-parse-suffix age-parse-prefix age-parse-suffix-twoline age-parse-prefix-twoline
		age-parse-dup-0 age-parse-dup-0-twoline age-parse-dup-old age-parse-parameter age-parse-numeric-parameter
	`),
	'expires-freshness': words(`
		freshness-expires-future freshness-expires-past freshness-expires-present freshness-expires-old-date
		freshness-expires-invalid freshness-expires-invalid-date freshness-expires-age-slow-date
		freshness-expires-age-fast-date
	`),
	'expires-parse': words(`
		freshness-expires-32bit freshness-expires-far-future freshness-expires-rfc850 freshness-expires-ansi-c
		freshness-expires-wrong-case-weekday freshness-expires-wrong-case-month freshness-expires-wrong-case-tz
		freshness-expires-invalid-utc freshness-expires-invalid-aest freshness-expires-invalid-2-digit-year
		freshness-expires-invalid-no-comma freshness-expires-invalid-multiple-spaces
		freshness-expires-invalid-date-dashes freshness-expires-invalid-time-periods
		freshness-expires-invalid-1-digit-hour freshness-expires-invalid-multiple-lines
	`),
	'cc-response': words(`
		cc-resp-private-shared cc-resp-private-private cc-resp-no-store cc-resp-no-store-case-insensitive
		cc-resp-no-store-fresh cc-resp-no-store-old-new cc-resp-no-store-old-max-age cc-resp-no-cache
		cc-resp-no-cache-case-insensitive cc-resp-no-cache-revalidate cc-resp-no-cache-revalidate-fresh
		headers-omit-headers-listed-in-Cache-Control-no-cache-single
		headers-omit-headers-listed-in-Cache-Control-no-cache cc-resp-must-revalidate-fresh
		cc-resp-must-revalidate-stale cc-resp-immutable-fresh cc-resp-immutable-stale
	`),
	'stale': words(`
		stale-close stale-503 stale-while-revalidate stale-while-revalidate-window stale-sie-close stale-sie-503
		stale-close-must-revalidate stale-close-proxy-revalidate stale-close-no-cache stale-close-s-maxage=2
		stale-warning-stored stale-warning-become
	`),
	'heuristic-freshness': [
		...HEURISTIC_YES.map(status => `heuristic-${status}-cached`),
		...HEURISTIC_NO.map(status => `heuristic-${status}-not_cached`),
		...HEURISTIC_AGES.map(age => `heuristic-delta-${age}`),
	],
	'method': ['method-POST'],
	'status': [
		...STATUSES.flatMap(status => [`status-${status}-fresh`, `status-${status}-stale`]),
		'status-599-must-understand',
		'status-200-must-understand',
	],
	'cc-request': words(`
		ccreq-ma0 ccreq-ma1 ccreq-magreaterage ccreq-max-stale ccreq-max-stale-age ccreq-min-fresh ccreq-min-fresh-age
		ccreq-no-cache ccreq-no-cache-lm ccreq-no-cache-etag ccreq-no-store ccreq-oic
	`),
	'pragma': words(`
		pragma-request-no-cache pragma-request-extension pragma-response-no-cache pragma-response-no-cache-heuristic
		pragma-response-extension
	`),
	'vary': words(`
		vary-match vary-no-match vary-omit-stored vary-omit vary-invalidate vary-cache-key vary-2-match vary-2-no-match
		vary-2-match-omit vary-3-match vary-3-no-match vary-3-order vary-3-omit vary-star vary-normalise-combine
		vary-normalise-lang-order vary-normalise-lang-case vary-normalise-lang-space vary-normalise-lang-select
		vary-normalise-space
	`),
	'vary-parse': words(`
		vary-syntax-star vary-syntax-star-star vary-syntax-star-star-lines vary-syntax-empty-star
		vary-syntax-empty-star-lines vary-syntax-star-foo vary-syntax-foo-star
	`),
	'conditional-lm': words(`
		conditional-lm-fresh conditional-lm-fresh-earlier conditional-lm-stale conditional-lm-fresh-no-lm
		conditional-lm-fresh-rfc850
	`),
	'conditional-etag': words(`
		conditional-etag-strong-respond conditional-304-etag conditional-etag-precedence
		conditional-etag-strong-respond-obs-text conditional-etag-quoted-respond-unquoted
		conditional-etag-unquoted-respond-unquoted conditional-etag-unquoted-respond-quoted
		conditional-etag-weak-respond conditional-etag-weak-respond-lowercase conditional-etag-weak-respond-backslash
		conditional-etag-weak-respond-omit-slash conditional-etag-strong-respond-multiple-first
		conditional-etag-strong-respond-multiple-second conditional-etag-strong-respond-multiple-last
		conditional-etag-vary-headers conditional-etag-vary-headers-mismatch conditional-etag-strong-generate
		conditional-etag-weak-generate-weak conditional-etag-strong-generate-unquoted conditional-etag-forward
		conditional-etag-forward-unquoted
	`),
	'headers': [
		'headers-omit-headers-listed-in-Connection',
		...[...OF_THE_ANSWER, ...OF_THE_CONNECTION].map(name => `headers-store-${name}`),
	],
	'update304': ['304-lm-use-stored-Test-Header', ...OF_THE_ANSWER.map(name => `304-etag-update-response-${name}`)],
	'update-head': words(`
		head-writethrough head-200-retain head-200-freshness-update head-200-update head-410-update
	`),
	'invalidation': METHODS.flatMap(method =>
		['', '-failed', '-location', '-cl'].map(end => `invalidate-${method}${end}`),
	),
	'partial': words(`
		partial-store-partial-reuse-partial partial-store-complete-reuse-partial
		partial-store-complete-reuse-partial-no-last partial-store-complete-reuse-partial-suffix
		partial-store-partial-reuse-partial-byterange partial-store-partial-reuse-partial-absent
		partial-store-partial-reuse-partial-suffix partial-store-partial-complete partial-use-headers
		partial-use-stored-headers
	`),
	'authorization': words(`
		other-authorization other-authorization-public other-authorization-must-revalidate other-authorization-smaxage
	`),
	'other': words(`
		other-age-gen other-age-delay other-age-update-expires other-age-update-max-age other-date-update
		other-date-update-expires other-date-update-expires-update query-args-different query-args-same
		other-heuristic-content-disposition-attachment other-fresh-content-disposition-attachment other-set-cookie
		other-cookie
	`),
	'cdn-cache-control': words(`
		cdn-max-age cdn-max-age-max cdn-max-age-max-plus cdn-max-age-age cdn-max-age-space-before-equals
		cdn-max-age-space-after-equals cdn-max-age-0 cdn-max-age-extension cdn-max-age-case-insensitive
		cdn-max-age-expires cdn-max-age-cc-max-age-invalid-expires cdn-max-age-0-expires cdn-max-age-short-cc-max-age
		cdn-max-age-long-cc-max-age cdn-private cdn-no-cache cdn-no-store-cc-fresh cdn-fresh-cc-nostore
		cdn-cc-invalid-sh-type-unknown cdn-cc-invalid-sh-type-wrong cdn-remove-header cdn-remove-age-exceed
		cdn-date-update-exceed cdn-expires-update-exceed
	`),
	'interim': words('interim-102 interim-103 interim-not-cached interim-no-header-reuse'),
} as const satisfies Record<string, readonly string[]>;

/** How many cases each file has. */
export const COUNTS: Readonly<Record<keyof typeof SUITE, number>> = {
	'cc-freshness': 24,
	'cc-parse': 15,
	'age-parse': 15,
	'expires-freshness': 8,
	'expires-parse': 16,
	'cc-response': 17,
	'stale': 12,
	'heuristic-freshness': 27,
	'method': 1,
	'status': 38,
	'cc-request': 12,
	'pragma': 5,
	'vary': 20,
	'vary-parse': 7,
	'conditional-lm': 5,
	'conditional-etag': 21,
	'headers': 30,
	'update304': 21,
	'update-head': 5,
	'invalidation': 16,
	'partial': 10,
	'authorization': 4,
	'other': 13,
	'cdn-cache-control': 24,
	'interim': 4,
};

export const ALL_IDS: readonly string[] = Object.values(SUITE).flat();

function words(text: string): string[] {
	return text.trim().split(/\s+/);
}
