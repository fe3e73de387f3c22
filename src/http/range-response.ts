/** The answer to a range request, checked before a byte of it is used. */
import type {CacheError} from '../base/errors.js';
import {mimetypeOf} from './headers.js';
import {quoted} from './quoted.js';
import {parseContentRange, parseUnsatisfiedRange, type ByteRange, type ContentRange} from './range.js';
import {RangesUnsupportedError, VersionChangedError} from './range-errors.js';
import type {Answer} from './response.js';
import {differenceOf, ifRangeOf, repeatsValidator, type BodyVersion} from './validators.js';

/** A part of a body still to be read; either read or discard it, it holds a connection. */
export interface RangeBody {
	/**
	 * What `body` brings, from where it was asked for. `end`, exclusive, may be
	 * less than was asked for: an origin may answer with less, and the rest is to
	 * be asked for anew.
	 */
	readonly range: {readonly start: number; readonly end: number};
	/** Of the whole body; undefined where neither the version nor the answer says. */
	readonly lengthBytes: number | undefined;
	/** False where the origin sent the whole body and its beginning is skipped. */
	readonly acceptsRanges: boolean;
	/**
	 * The bytes of `range`, once; never one more, and it ends without an error
	 * only when all of them came. Leaving the loop early gives up the rest.
	 *
	 * @throws CacheError `origin-failed` when it stops early or does not fit its
	 *   length, `origin-timeout`, `aborted`. TypeError when read a second time.
	 */
	readonly body: AsyncIterable<Uint8Array>;
	/** Gives up what was not read and closes the connection. Later calls do nothing. */
	discard(this: void): void;
}

/** A range request that was made. */
export interface AskedRange {
	readonly range: ByteRange;
	/** What `range` is a part of. */
	readonly version: BodyVersion;
	/** Where the answer came from. */
	readonly url: string;
	/** The most of a whole body that is read and thrown away to get to `range.start`. */
	readonly maxSkipBytes: number;
}

/** Statuses that `toRangeBody` understands; any other is a failure as it is for a plain GET. */
export const RANGE_ANSWERS: ReadonlySet<number> = new Set([200, 203, 206, 412, 416, 501]);

/**
 * The part that `answer` brings. Where it brings none, its connection is closed.
 *
 * @throws RangesUnsupportedError, VersionChangedError; CacheError
 *   `origin-failed` for a `Content-Length` that is none.
 * @see RFC 9110 sections 14 (ranges), 13.1.5 (If-Range), 15.3.7 (206), 15.5.17 (416)
 */
export function toRangeBody(answer: Answer, asked: AskedRange): RangeBody {
	try {
		return bodyOf(answer, asked);
	} catch (error) {
		answer.discard();
		throw error;
	}
}

function bodyOf(answer: Answer, asked: AskedRange): RangeBody {
	switch (answer.status) {
		case 206:
			return partOf(answer, asked);
		case 412:
			throw changed(answer, 'a precondition failed');
		case 416:
			throw unsatisfied(answer, asked);
		case 501:
			throw unsupported(answer, 'with status 501');
		default:
			return wholeFrom(answer, asked);
	}
}

function partOf(answer: Answer, asked: AskedRange): RangeBody {
	const contentRange = parseContentRange(answer.header('content-range'));
	checkVersion(answer, asked, contentRange?.lengthBytes);
	const {start, end, lengthBytes} = checkPart(answer, asked, contentRange);
	return {
		range: {start, end},
		lengthBytes: lengthBytes ?? asked.version.lengthBytes,
		acceptsRanges: true,
		body: {[Symbol.asyncIterator]: () => answer.read(end - start)},
		discard: () => answer.discard(),
	};
}

function checkPart(answer: Answer, {range, version}: AskedRange, part: ContentRange | undefined): ContentRange {
	if (mimetypeOf(answer.header('content-type')) === 'multipart/byteranges') {
		throw unsupported(answer, 'with several parts');
	}

	if (!part) throw unsupported(answer, `with the Content-Range ${quoted(answer.header('content-range') ?? '')}`);
	const {start, end} = part;
	if (end > (version.lengthBytes ?? Infinity)) throw changed(answer, `it has a byte ${end - 1}`);
	if (start !== range.start || end > (range.end ?? Infinity)) {
		throw unsupported(answer, `with bytes [${start}, ${end}) for [${range.start}, ${range.end ?? ''})`);
	}

	const announced = answer.contentLength() ?? end - start;
	if (announced !== end - start) throw unsupported(answer, `with ${announced} bytes for [${start}, ${end})`);
	if (answer.encoding !== undefined) throw unsupported(answer, 'with a part of another encoding');
	return part;
}

/** A whole body is used only where it is shown to be the version's: never two versions in one. */
function wholeFrom(answer: Answer, asked: AskedRange): RangeBody {
	const {range, version, maxSkipBytes} = asked;
	const announced = answer.contentLength();
	checkVersion(answer, asked, announced);
	const lengthBytes = version.lengthBytes ?? announced;
	const isShown = repeatsValidator(version, answer) || (announced !== undefined && version.lengthBytes === announced);
	if (lengthBytes === undefined || !isShown || answer.encoding !== undefined || range.start > maxSkipBytes) {
		throw unsupported(answer, 'with the whole body');
	}

	if (range.start >= lengthBytes) throw changed(answer, `its length is ${lengthBytes}`);
	const {start, end} = {start: range.start, end: Math.min(range.end ?? Infinity, lengthBytes)};
	return {
		range: {start, end},
		lengthBytes,
		acceptsRanges: false,
		body: {[Symbol.asyncIterator]: () => sliceOf(answer.read(lengthBytes), start, end, lengthBytes)},
		discard: () => answer.discard(),
	};
}

/**
 * Bytes `[start, end)` of `whole`, which fails where it is shorter than
 * `lengthBytes`. What comes after them is given up; where nothing does, `whole`
 * has to end in order, so that its connection serves the next request.
 */
async function* sliceOf(
	whole: AsyncIterable<Uint8Array>,
	start: number,
	end: number,
	lengthBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
	let position = 0;
	for await (const chunk of whole) {
		const wanted = chunk.subarray(Math.max(0, start - position), Math.max(0, end - position));
		position += chunk.byteLength;
		if (wanted.byteLength > 0) yield wanted;
		if (position >= end && end < lengthBytes) return;
	}
}

/**
 * A 206 to `If-Range` says by its status that the version is the same. A 200
 * may say that it is not, and validators hold within one URL: both must repeat
 * the strong validator.
 */
function checkVersion(answer: Answer, {version, url}: AskedRange, lengthBytes: number | undefined): void {
	const {etag, lastModifiedMs} = answer;
	const difference = differenceOf(version, {lengthBytes, etag, lastModifiedMs});
	if (difference !== undefined) throw changed(answer, difference);
	const isElsewhere = version.url !== undefined && version.url !== url;
	const mayHaveFailed = answer.status !== 206 && ifRangeOf(version) !== undefined;
	if (!(isElsewhere || mayHaveFailed) || repeatsValidator(version, answer)) return;
	throw changed(answer, isElsewhere ? 'it comes from another URL than before' : 'it came without its validator');
}

/** What was asked for lies in the version, so who cannot satisfy it has another, or does no ranges. */
function unsatisfied(answer: Answer, {range, version}: AskedRange): CacheError {
	const lengthBytes = parseUnsatisfiedRange(answer.header('content-range'));
	const isShorter = lengthBytes !== undefined && lengthBytes < range.start;
	const difference = differenceOf({lengthBytes: version.lengthBytes}, {lengthBytes});
	if (difference !== undefined || isShorter) return changed(answer, difference ?? `its length is ${lengthBytes}`);
	return unsupported(answer, 'with status 416');
}

function unsupported({asked}: Answer, how: string): RangesUnsupportedError {
	return new RangesUnsupportedError(`${asked} answered a range request ${how}`);
}

function changed({asked}: Answer, why: string): VersionChangedError {
	return new VersionChangedError(`${asked} has changed since its beginning was fetched: ${why}`);
}
