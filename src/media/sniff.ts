/** What a body is, by its first bytes. */
import {fileTypeFromBuffer} from 'file-type';

/** So many first bytes decide; file-type's own measure (a tar's magic is at 257, an ISO 13818 packet repeats after 188). */
export const SNIFF_BYTES = 4100;

const NOTHING_KNOWN = 'application/octet-stream';

/** Whether the body begins as a GIF does: `GIF87a` or `GIF89a`. */
export function isGif(head: Uint8Array): boolean {
	return /^GIF8[79]a/.test(Buffer.from(head.subarray(0, 6)).toString('latin1'));
}

/**
 * The media type of a body, in lower case and without parameters. `declared` is
 * what the origin said; it stands unless the bytes contradict it:
 *
 * 1. Absent, malformed or generic (`application/octet-stream`): the bytes
 *    decide; plain text is `text/plain`, anything else `application/octet-stream`.
 * 2. `text/html` and `text/plain`, which servers say of what they do not know:
 *    bytes of any format that is not itself text decide.
 * 3. Anything else: bytes of an image, a video, audio or a font decide, unless
 *    both types share a container (`FAMILIES`), where the declared one knows
 *    more: MP4 may be `audio/mp4`, Ogg `application/ogg`. Signatures of two
 *    bytes or 11 bits (`WEAK`) decide only over another such type.
 *
 * So what file-type calls by its container only (a zip for an epub, XML for an
 * SVG) never overrules. A body without control characters is never taken for a
 * binary format: a text may begin with `BM`. Never rejects, whatever the bytes.
 */
export async function decideType(declared: string | undefined, head: Uint8Array): Promise<string> {
	const claimed = essence(declared);
	const sniffed = await sniff(head);
	if (claimed === undefined || GENERIC.has(claimed))
		return sniffed ?? (isUtf8Text(head) ? 'text/plain' : NOTHING_KNOWN);
	if (sniffed === undefined || isSameFormat(claimed, sniffed)) return claimed;
	if (claimed === 'text/html' || claimed === 'text/plain') return isText(sniffed, head) ? claimed : sniffed;
	const decides = WEAK.has(sniffed) ? isMedia(sniffed) && isMedia(claimed) : isMedia(sniffed);
	return decides ? sniffed : claimed;
}

const GENERIC: ReadonlySet<string> = new Set([
	NOTHING_KNOWN,
	'application/binary',
	'application/download',
	'application/force-download',
	'application/unknown',
	'application/x-binary',
	'application/x-download',
	'application/x-unknown',
	'binary/octet-stream',
	'content/unknown',
	'unknown/unknown',
]);

/** Recognised by a frame's sync bits or by `BM`, which other data may have by chance. */
const WEAK: ReadonlySet<string> = new Set(['audio/aac', 'audio/mpeg', 'image/bmp']);

/** Names of one container, or of one format: bytes sniffed as one do not contradict another. */
const FAMILIES: readonly RegExp[] = [
	/^(video|audio|application)\/(x-)?(mp4|m4[abprv]|quicktime|3gpp2?|mj2|iso\.segment)$/,
	/^image\/(hei[cf]|avif)(-sequence)?$/,
	/^(video|audio)\/(x-)?(matroska|matroska-3d|webm)$/,
	/^(video|audio|application)\/(x-)?(ogg|ogm|opus|vorbis|speex|theora)(\+ogg)?$/,
	/^(video|audio|application)\/(x-ms-(asf|wm|wma|wmv|wax|wvx)|vnd\.ms-asf)$/,
	/^video\/(mpeg|mp[12][pst]|x-mpeg|mpeg2|mpeg-system)$/,
	/^video\/(x-msvideo|vnd\.avi|avi|msvideo)$/,
	/^audio\/(mpeg|mp3|x-mp3|x-mpeg|mpeg3|mpa)$/,
	/^audio\/(x-)?(aac|aacp|hx-aac-adts)$/,
	/^audio\/(x-)?(wav|wave|vnd\.wave|pn-wav)$/,
	/^audio\/(x-)?flac$/,
	/^audio\/(x-)?aiff$/,
	/^audio\/(x-|sp-)?midi?$/,
	/^image\/(vnd\.mozilla\.)?a?png$/,
	/^(image|video)\/(jp[2xm]|mj2|jpeg2000)$/,
	/^image\/(x-icon|vnd\.microsoft\.icon)$/,
	/^image\/(tiff|tiff-fx|dng|x-(adobe|canon|epson|fujifilm|fuji|hasselblad|kodak|leaf|minolta|nikon|olympus|panasonic|pentax|phaseone|samsung|sigma|sony)-.+)$/,
	/^image\/(jxr|vnd\.ms-photo)$/,
];

/** Names of file-type's that others do not know, and the usual ones. */
const USUAL_NAME: Readonly<Record<string, string>> = {
	'audio/aiff': 'audio/x-aiff',
	'audio/x-ms-asf': 'audio/x-ms-wma',
	'image/mj2': 'video/mj2',
	'video/matroska': 'video/x-matroska',
	'video/mp1s': 'video/mpeg',
	'video/mp2p': 'video/mpeg',
	'video/vnd.avi': 'video/x-msvideo',
};

/** `Text/HTML; charset=x` -> `text/html`; undefined for what is no media type (RFC 9110 section 8.3.1). */
function essence(type: string | undefined): string | undefined {
	const bare = type?.split(';', 1)[0]?.trim().toLowerCase();
	return bare !== undefined && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(bare) ? bare : undefined;
}

async function sniff(head: Uint8Array): Promise<string | undefined> {
	if (isGif(head)) return 'image/gif';
	const found = essence(await fileTypeOf(head.subarray(0, SNIFF_BYTES)));
	if (found === undefined || (hasNoControls(head) && !isTextual(found))) return undefined;
	return USUAL_NAME[found] ?? found;
}

/** Its parsers read past the end of a head, which is no news. */
async function fileTypeOf(head: Uint8Array): Promise<string | undefined> {
	try {
		return (await fileTypeFromBuffer(head))?.mime;
	} catch {
		return undefined;
	}
}

function isSameFormat(one: string, other: string): boolean {
	return one === other || FAMILIES.some(family => family.test(one) && family.test(other));
}

function isMedia(type: string): boolean {
	return /^(image|video|audio|font)\//.test(type);
}

/** Formats that are written in text, or may be. */
function isTextual(type: string): boolean {
	return /^text\/|[/+]xml$|^application\/(rtf|pdf|postscript|eps|pgp-encrypted|x-ms-regedit)$|^model\/stl$/.test(type);
}

/** A PDF may be written in text, but mostly is not. */
function isText(type: string, head: Uint8Array): boolean {
	return /^text\/|[/+]xml$/.test(type) || (isTextual(type) && hasNoControls(head));
}

/** Tab, line ends, form feed, backspace and escape occur in texts. */
function hasNoControls(head: Uint8Array): boolean {
	return head.every(byte => (byte >= 0x20 ? byte !== 0x7f : (byte >= 0x08 && byte <= 0x0d) || byte === 0x1b));
}

function isUtf8Text(head: Uint8Array): boolean {
	if (head.length === 0 || !hasNoControls(head)) return false;
	try {
		// The head may end inside a character: `stream` does not mind.
		new TextDecoder('utf-8', {fatal: true}).decode(head, {stream: true});
		return true;
	} catch {
		return false;
	}
}
