/**
 * A URL as it may be logged or shown in an error: without credentials, query
 * and fragment, because secrets travel there.
 *
 * `https://me:pw@a.example/x?token=1#f` -> `https://a.example/x`
 *
 * What is no URL is shown as `<not a URL>`.
 */
export function redact(url: string): string {
	if (!URL.canParse(url)) return '<not a URL>';
	const {protocol, host, pathname} = new URL(url);
	return `${protocol}//${host}${pathname}`;
}
