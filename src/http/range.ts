/** Ranges of bytes as a request asks for them and an answer names them. */

/** Byte offsets from `start` on, up to `end` and without it; without `end` up to the end of the body. */
export interface ByteRange {
	readonly start: number;
	readonly end?: number | undefined;
}

/** What `Content-Range` says of a part. */
export interface ContentRange {
	readonly start: number;
	/** Exclusive. */
	readonly end: number;
	/** Of the whole body; undefined for `*`. */
	readonly lengthBytes: number | undefined;
}

/**
 * @param lengthBytes - of the whole body, where it is known.
 * @throws RangeError for offsets that are none, and for a range that is empty
 *   or goes beyond the body.
 */
export function checkRange({start, end}: ByteRange, lengthBytes: number | undefined): void {
	const limit = end ?? lengthBytes ?? Infinity;
	const areOffsets = [start, end, lengthBytes].every(offset => offset === undefined || isOffset(offset));
	if (areOffsets && start < limit && limit <= (lengthBytes ?? Infinity)) return;
	throw new RangeError(`[${start}, ${end ?? ''}) is no range of a body of ${lengthBytes ?? 'unknown'} bytes`);
}

/**
 * The value of `Range`: `{start: 5, end: 10}` -> `bytes=5-9`.
 *
 * @see RFC 9110 section 14.1.2 (byte ranges; the last one is inclusive)
 */
export function formatRange({start, end}: ByteRange): string {
	return `bytes=${start}-${end === undefined ? '' : end - 1}`;
}

/**
 * `bytes 5-9/100` -> `{start: 5, end: 10, lengthBytes: 100}`; `undefined` for
 * another unit, and for what is invalid or names no range.
 *
 * @see RFC 9110 section 14.4 (Content-Range)
 */
export function parseContentRange(value: string | null): ContentRange | undefined {
	const [, first = '', last = '', total = ''] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(value ?? '') ?? [];
	if (first === '') return undefined;
	const [start, end, lengthBytes] = [Number(first), Number(last) + 1, total === '*' ? undefined : Number(total)];
	const isValid = isOffset(end) && start < end && (lengthBytes === undefined || isOffset(lengthBytes));
	return isValid && end <= (lengthBytes ?? Infinity) ? {start, end, lengthBytes} : undefined;
}

/** The length that a 416 names, `bytes *\/100` -> 100; `undefined` where it names none. */
export function parseUnsatisfiedRange(value: string | null): number | undefined {
	const [, total = ''] = /^bytes \*\/(\d+)$/i.exec(value ?? '') ?? [];
	return total !== '' && isOffset(Number(total)) ? Number(total) : undefined;
}

/**
 * Whether `Accept-Ranges` offers ranges of bytes; `undefined` where it says
 * neither that nor `none`, which means that asking will tell.
 *
 * @see RFC 9110 section 14.3
 */
export function acceptsRanges(value: string | null): boolean | undefined {
	const units = (value ?? '').split(',').map(unit => unit.trim().toLowerCase());
	if (units.includes('bytes')) return true;
	return units.includes('none') ? false : undefined;
}

function isOffset(value: number): boolean {
	return Number.isSafeInteger(value) && value >= 0;
}
