/** A directive: a token, and after `=` a token or a quoted string. RFC 9111 section 5.2. */
const DIRECTIVE = /([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/gi;

/**
 * `Cache-Control` in one spelling: names in lower case, no quotes, a directive
 * that comes twice once. Of two that contradict each other the stricter counts.
 *
 * `Max-Age="60" , no-cache="set-cookie", max-age=30` -> `max-age=30, no-cache=set-cookie`
 */
export function canonicalCacheControl(header: string): string {
	const directives = new Map<string, string | undefined>();
	for (const [, token = '', quoted, bare] of header.matchAll(DIRECTIVE)) {
		const name = token.toLowerCase();
		const value = quoted?.replace(/\\(.)/g, '$1').replaceAll(',', ' ') ?? bare;
		directives.set(name, directives.has(name) ? stricter(directives.get(name), value) : value);
	}

	return [...directives].map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join(', ');
}

/** What is no number of seconds is none at all. */
function stricter(a: string | undefined, b: string | undefined): string | undefined {
	return Number(a) <= Number(b) ? a : b;
}
