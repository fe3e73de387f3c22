import {LRUCache} from '../base/lru-cache.js';
import type {Clock} from '../base/clock.js';
import {CacheError} from '../base/errors.js';
import type {Key} from '../store/key.js';

interface Absence {
	readonly reason: string;
	readonly untilMs: number;
}

/** More than a listing full of dead links. */
const MAX_ABSENCES = 10_000;

/** What an origin has said not to have: for a while nobody asks for it again. */
export class Absences {
	readonly #absent = new LRUCache<Key, Absence>({max: MAX_ABSENCES});

	constructor(private readonly clock: Clock) {}

	/** @param reason - a sentence, for who asks meanwhile. */
	note(key: Key, reason: string, forMs: number): void {
		if (forMs > 0) this.#absent.set(key, {reason, untilMs: this.clock.now() + forMs});
	}

	/** It is there now, or is to be asked for again. */
	forget(key: Key): void {
		this.#absent.delete(key);
	}

	/** @throws CacheError `not-found` while it is remembered not to be there. */
	check(key: Key): void {
		const absence = this.#absent.get(key);
		if (absence === undefined) return;
		if (this.clock.now() < absence.untilMs) throw new CacheError('not-found', `${absence.reason} a short while ago`);
		this.#absent.delete(key);
	}
}
