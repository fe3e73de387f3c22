import {CacheError} from '../base/errors.js';
import {redact} from '../base/redact.js';
import type {AnsweredSource, Moved} from './source.js';

/** A URL has moved for good: what is to be stored is what it has moved to, and its body has begun to come. */
export class MovedError extends CacheError {
	constructor(
		url: string,
		readonly movedTo: Moved,
		/** Has the body. To be released by who does not make use of it. */
		readonly source: AnsweredSource,
	) {
		super('aborted', `${redact(url)} has moved to ${redact(movedTo.url)}`);
	}
}
