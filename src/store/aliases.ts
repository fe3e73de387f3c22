import type {Catalogue} from './catalogue.js';
import {keyOf, type Key} from './key.js';

/** A URL that stands for another one, as its origin has said. */
export interface Alias {
	/** What it stands for. */
	readonly url: string;
	/** Epoch milliseconds; Infinity for good. */
	readonly untilMs: number;
}

/**
 * URLs that have moved for good, and where to: rows of the catalogue, no files.
 * They go with what they lead to. One that is lost is learned again.
 */
export class Aliases {
	/** What is not written yet. */
	readonly #pending = new Map<Key, Alias | undefined>();

	constructor(private readonly catalogue: Catalogue) {}

	/** What a key stands for; undefined where it stands for itself. */
	get(key: Key, nowMs: number): Alias | undefined {
		const alias = this.#pending.has(key) ? this.#pending.get(key) : this.catalogue.alias(key);
		if (alias === undefined || nowMs >= alias.untilMs) return undefined;
		return this.#isRemoved(keyOf(alias.url)) ? undefined : alias;
	}

	set(key: Key, alias: Alias): void {
		this.#note(key, alias, this.catalogue.setAlias(key, alias));
	}

	/** Forgets what a key stands for, and what stands for it. @returns whether it stood for another one. */
	remove(key: Key, nowMs: number): boolean {
		const wasAlias = this.get(key, nowMs) !== undefined;
		this.#note(key, undefined, this.catalogue.removeAliases(key));
		return wasAlias;
	}

	/** A key that was removed stands for nothing, and nothing for it. */
	#isRemoved(target: Key): boolean {
		return this.#pending.has(target) && this.#pending.get(target) === undefined;
	}

	#note(key: Key, alias: Alias | undefined, written: Promise<void>): void {
		// The order of two matters.
		this.#pending.delete(key);
		this.#pending.set(key, alias);
		void written.then(() => {
			if (this.#pending.get(key) === alias) this.#pending.delete(key);
		});
	}
}
