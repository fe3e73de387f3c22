/** How a URL is a file name, and back. */
import {isHttpUrl} from '../base/http-url.js';
import type {Key} from '../cache/url-cache.js';

/** The longest name that fuse-native carries, in bytes. */
export const MAX_LISTED_NAME_BYTES = 1023;

/**
 * The URL that a name under `by-url` stands for, or undefined for what does not
 * decode to an absolute http or https URL. The URL is used as it is given: no
 * normalisation, so any spelling that decodes to it leads to the same entry.
 *
 * `https%3A%2F%2Fa.example%2Fx` and `https:%2F%2Fa.example%2Fx` -> `https://a.example/x`
 */
export function urlOf(name: string): string | undefined {
	// Most names that are looked up in vain (.Trash, .hidden, autorun.inf) end here.
	if (!/^https?(?::|%3a)/i.test(name)) return undefined;
	let url: string;
	try {
		url = decodeURIComponent(name);
	} catch {
		return undefined;
	}

	return isHttpUrl(url) ? url : undefined;
}

/**
 * The name that `ls` shows for a URL; undefined where none is shown: for what
 * `urlOf` would not take, for names too long, for URLs with credentials, and on
 * a drive that other users see for those with a query, which often is one too.
 */
export function listedName(url: string, isShared: boolean): string | undefined {
	if (CREDENTIALS.test(url) || (isShared && url.includes('?')) || !isHttpUrl(url)) return undefined;
	const name = encodeURIComponent(url);
	// What encodeURIComponent leaves is ASCII.
	return name.length <= MAX_LISTED_NAME_BYTES ? name : undefined;
}

/** However many slashes there are, and whatever of the white space that the URL parser leaves out (WHATWG URL, authority state). */
const CREDENTIALS = /^https?:[/\\\t\n\r]*[^/\\?#]*@/i;

/** An inode number of 32 bits, the most that fuse-native carries. 0 and 1 are not a file's. */
export function inodeNumber(key: Key): number {
	return Math.max(2, Number.parseInt(key.slice(0, 8), 16));
}
