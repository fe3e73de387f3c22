import {CacheError} from '../base/errors.js';

/** What may not be asked for was not: its origin has said nothing. */
export class DeniedError extends CacheError {
	constructor(message: string) {
		super('origin-refused', message);
	}
}
