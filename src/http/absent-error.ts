import {CacheError} from '../base/errors.js';
import type {CachingFacts} from './caching-facts.js';

/** The origin has answered that there is no such file. */
export class AbsentError extends CacheError {
	/** @param status - 404 or 410. */
	constructor(
		message: string,
		readonly status: number,
		readonly caching: CachingFacts,
	) {
		super('not-found', message);
	}
}
