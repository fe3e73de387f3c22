/** Sizes, rates and durations as people write them. Sizes are binary: 1 KB is 1,024 bytes. */
import bytes from 'bytes';
import ms from 'ms';

/**
 * `'10GB'` -> 10,737,418,240; `'1500'` and `1500` -> 1,500.
 *
 * @throws RangeError for what is not a size of 0 or more.
 */
export function parseSize(text: string | number): number {
	const parsed = typeof text === 'number' || SIZE.test(text.trim()) ? bytes.parse(text) : null;
	if (parsed === null || !Number.isSafeInteger(parsed) || parsed < 0) {
		throw new RangeError(`"${text}" is not a size; write for example 500MB or 10GB`);
	}

	return parsed;
}

const SIZE = /^\d+(\.\d+)?\s*([kmgtp]?b)?$/i;

/**
 * `'10MB/s'` or `'10MB'` -> 10,485,760 bytes a second. The unit is required, because a bare
 * number is KiB to some programs; and its B is a capital, because `Mb/s` are bits.
 *
 * @throws RangeError for what is not a rate above 0.
 */
export function parseRate(text: string): number {
	const [, size] = RATE.exec(text.trim()) ?? [];
	const parsed = size === undefined ? 0 : parseSize(size);
	if (parsed === 0) throw new RangeError(`"${text}" is not a rate; write for example 500KB/s or 10MB/s`);
	return parsed;
}

const RATE = /^(\d+(?:\.\d+)?\s*[kmgtpKMGTP]?B)(?:\/s)?$/;

/**
 * `'30s'` -> 30,000; `'2m'`, `'1h'`; a bare number is milliseconds.
 *
 * @throws RangeError for what is not a duration of 0 or more.
 */
export function parseDuration(text: string | number): number {
	// ms throws errors of its own for what is empty or over 100 characters.
	const isReadable = typeof text === 'number' || /^.{1,100}$/.test(text.trim());
	const parsed = typeof text === 'number' ? text : isReadable ? ms(text.trim() as ms.StringValue) : NaN;
	if (!Number.isFinite(parsed) || parsed < 0) {
		throw new RangeError(`"${text}" is not a duration; write for example 500ms, 30s or 5m`);
	}

	return parsed;
}

/** 10,737,418,240 -> `'10GB'`; a limit that is none, Infinity -> `'none'`. */
export function formatSize(sizeBytes: number): string {
	if (sizeBytes === Infinity) return 'none';
	return bytes.format(sizeBytes, {decimalPlaces: 1}) ?? `${sizeBytes}B`;
}

/** 10,485,760 -> `'10MB/s'`; Infinity -> `'none'`. */
export function formatRate(bytesPerSecond: number): string {
	return bytesPerSecond === Infinity ? 'none' : `${formatSize(bytesPerSecond)}/s`;
}

/** 30,000 -> `'30s'`. */
export function formatDuration(durationMs: number): string {
	return ms(durationMs);
}
