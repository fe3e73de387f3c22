/** The two ways in which a part of a body cannot be had, though its origin answers. Neither is asked for again. */
import {CacheError} from '../base/errors.js';

/**
 * The origin does not do ranges, or does them wrong: a plain download is what
 * is left. Nothing is said of the version.
 */
export class RangesUnsupportedError extends CacheError {
	constructor(message: string, options?: ErrorOptions) {
		super('origin-failed', message, options);
	}
}

/** The origin has another version than the one a part was asked of, or nothing shows that it is the same. */
export class VersionChangedError extends CacheError {
	constructor(message: string, options?: ErrorOptions) {
		super('origin-failed', message, options);
	}
}
