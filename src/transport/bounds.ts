import type {Deadlines} from './dispatch.js';

/**
 * How long an operation may take, by the name that both protocols have for it.
 * A setattr may be a `touch`, which asks an origin.
 */
export function limitOf(operation: string, {openMs, readMs, otherMs}: Deadlines): number {
	switch (operation) {
		case 'open':
		case 'touch':
		case 'setattr':
			return openMs;
		// Local disk alone: as long as that takes.
		case 'write':
		case 'flush':
		case 'fsync':
			return openMs;
		case 'read':
			return readMs;
		default:
			return otherMs;
	}
}
