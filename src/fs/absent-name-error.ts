import {CacheError} from '../base/errors.js';

/** A name that is not there. */
export class AbsentNameError extends CacheError {
	/** @param forMs - for how long it will not be, in ms; 0 where it may come at any time. */
	constructor(
		name: string,
		readonly forMs: number,
	) {
		super('not-stored', `there is no ${name}`);
	}
}
