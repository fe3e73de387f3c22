/** What the headers of an answer say about the file it is. */
import path from 'node:path';
import {parse} from 'content-disposition';
import mime from 'mime';
import sanitize from 'sanitize-filename';

/** The longest name that Linux file systems take. */
const MAX_NAME_BYTES = 255;

/** A name's last part counts as its extension only when it looks like one: `talk v1.2 final` has none. */
const EXTENSION = /^\.[a-z0-9]{1,16}$/i;

/** RFC 9110 section 5.6.2: type and subtype are tokens; RFC 6838 section 4.2: of at most 127 characters each. */
const MIMETYPE = /^[!#$%&'*+.^_`|~0-9a-z-]{1,127}\/[!#$%&'*+.^_`|~0-9a-z-]{1,127}$/;

/** Characters that change how the rest of a name is shown, so that `exe.gif` may be a program. */

const DIRECTION_MARKS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * The name under which a person would keep the body of `url`: what
 * `Content-Disposition` says, else the last segment of the URL's path, else
 * `download`. A name without an extension gets the one of its type.
 *
 * `https://a.example/files/na%20me.gif?x=1` -> `na me.gif`
 *
 * @returns a single path component that is not hidden, of at most 255 bytes of
 *   UTF-8, without characters that a file system or a shell on any system
 *   could stumble over.
 * @see RFC 6266 (Content-Disposition in HTTP)
 */
export function filenameFor(url: string, contentDisposition: string | null, mimetype: string | undefined): string {
	for (const candidate of [dispositionName(contentDisposition), urlName(url)]) {
		const name = clean(candidate);
		if (name !== '') return complete(name, mimetype);
	}

	return complete('download', mimetype);
}

/** `Image/GIF; charset=x` -> `image/gif`; `undefined` for what is no type. */
export function mimetypeOf(contentType: string | null): string | undefined {
	const essence = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
	return MIMETYPE.test(essence) ? essence : undefined;
}

/** Only the last component of a path counts (RFC 6266 section 4.3). */
function dispositionName(header: string | null): string {
	if (header === null) return '';
	const {filename = ''} = parse(fromLatin1(header)).parameters as {filename?: string};
	return filename.split(/[/\\]/).at(-1) ?? '';
}

function urlName(url: string): string {
	if (!URL.canParse(url)) return '';
	const segment = new URL(url).pathname.split('/').at(-1) ?? '';
	try {
		return decodeURIComponent(segment);
	} catch {
		return segment;
	}
}

/** Node shows header bytes as Latin-1; many origins send UTF-8. */
function fromLatin1(header: string): string {
	try {
		return new TextDecoder('utf-8', {fatal: true}).decode(Buffer.from(header, 'latin1'));
	} catch {
		return header;
	}
}

function clean(name: string): string {
	const shown = name.toWellFormed().replace(DIRECTION_MARKS, '');
	return fit(shown.replace(/^[.\s]+|[.\s]+$/g, ''));
}

function complete(name: string, mimetype: string | undefined): string {
	const known = mimetype === undefined || extensionOf(name) !== '' ? null : mime.getExtension(mimetype);
	return sanitize(fit(known === null ? name : `${name}.${known}`), {replacement: '_'});
}

/** Cuts the stem at a code point so that the name with its extension fits. */
function fit(name: string): string {
	const extension = extensionOf(name);
	const stem = name.slice(0, name.length - extension.length);
	const room = MAX_NAME_BYTES - extension.length;
	const {read} = new TextEncoder().encodeInto(stem, new Uint8Array(room));
	return stem.slice(0, read) + extension;
}

function extensionOf(name: string): string {
	const extension = path.extname(name);
	return EXTENSION.test(extension) ? extension : '';
}
