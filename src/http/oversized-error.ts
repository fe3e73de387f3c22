import {CacheError} from '../base/errors.js';
import {formatSize} from '../base/units.js';

/** A body larger than policy lets one be: no matter of where it would be kept, so nothing is gained by asking again. */
export class OversizedError extends CacheError {
	/**
	 * @param asked - the URL, redacted.
	 * @param size - of the body, as far as it is known: `5000 bytes`.
	 */
	constructor(asked: string, size: string, maxBytes: number) {
		super('too-large', `${asked}: denied: it has ${size} (guard: max-file-size is ${formatSize(maxBytes)})`);
	}
}
