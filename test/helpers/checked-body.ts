/** Bytes that tell by themselves whether they are whole, and of which URL and which version they are. */
import {createHash} from 'node:crypto';

/**
 * A body of `length` bytes after its first line, which a URL and a version
 * determine:
 *
 * ```
 * 200 own-17 5f9c…
 * https://a.example/x
 * own-17 own-17 own-17 …
 * ```
 *
 * @param version - a word without spaces.
 */
export function checkedBody(url: string, version: string, length: number): Buffer {
	const filler = `${version} `.repeat(Math.ceil(length / (version.length + 1)));
	const rest = `${url}\n${filler}`.slice(0, Math.max(length, url.length + 1));
	return Buffer.from(`${rest.length} ${version} ${checksum(rest)}\n${rest}`);
}

/** Such a body, and beside it what tells the version too. */
export function checkedMedia(url: string, version: string, length: number) {
	return {data: checkedBody(url, version, length), mimetype: 'text/plain', filename: `${version}.bin`};
}

/** The version whose body of `url` these bytes are, all of it; undefined for anything else. */
export function versionOf(bytes: Buffer, url: string): string | undefined {
	const headEnd = bytes.indexOf('\n');
	const [length = '', version = '', sum = ''] = bytes.toString('latin1', 0, Math.max(0, headEnd)).split(' ');
	const rest = bytes.subarray(headEnd + 1);
	const isWhole = Number(length) === rest.byteLength && sum === checksum(rest);
	return isWhole && rest.indexOf(`${url}\n`) === 0 ? version : undefined;
}

function checksum(data: string | Uint8Array): string {
	return createHash('sha256').update(data).digest('hex');
}
