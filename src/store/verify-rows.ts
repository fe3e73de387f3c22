import {setTimeout} from 'node:timers/promises';
import type {CatalogueComparison} from './catalogue-comparison.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {correctRow, entryOf} from './verify-entry.js';
import type {Finding, Repairs} from './verify-repairs.js';

interface UntrueRow {
	readonly key: Key;
	readonly problem: string;
	readonly state: string;
	readonly isYoung: boolean;
}

/** What a process has done to the files it says to the catalogue within this time. */
const CATALOGUE_LAG_MS = 1500;
/** Differences that are waited with at a time. */
const MAX_SUSPECTS = 5000;
/** Rows made true before it is looked whether they are. */
const CORRECTIONS = 200;

/**
 * Rows that are not as their files are. The catalogue is told of a change a
 * moment after it was made, so each is looked at twice: what is still just as it
 * was is not on its way.
 */
export class SuspectRows {
	/** What both sides were when they were looked at first. */
	readonly #states = new Map<Key, string>();

	constructor(
		private readonly layout: Layout,
		private readonly comparison: CatalogueComparison,
		private readonly repairs: Repairs,
	) {}

	get areMany(): boolean {
		return this.#states.size >= MAX_SUSPECTS;
	}

	/** Looks at the row of a key whose files are these. */
	compare(key: Key, entry: Entry | undefined): void {
		const difference = this.comparison.compare(key, entry);
		if (difference !== undefined) this.#states.set(key, difference.state);
	}

	/** Looks again at all that there are by now, and lets go of them. */
	async *judge(signal: AbortSignal | undefined): AsyncGenerator<Finding> {
		if (this.#states.size === 0) return;
		await setTimeout(CATALOGUE_LAG_MS, undefined, signal && {signal});
		await this.repairs.flush();
		const suspects = [...this.#states];
		this.#states.clear();
		for (let start = 0; start < suspects.length; start += CORRECTIONS) {
			const untrue = await this.#untrueOf(suspects.slice(start, start + CORRECTIONS));
			if (this.repairs.areWanted) await this.#correct(untrue.filter(({isYoung}) => !isYoung));
			for (const row of untrue) yield await this.#settle(row);
		}
	}

	async #untrueOf(suspects: ReadonlyArray<readonly [Key, string]>): Promise<UntrueRow[]> {
		const untrue: UntrueRow[] = [];
		for (const [key, state] of suspects) {
			if (this.repairs.isSliceOver) await this.repairs.nextSlice();
			const now = this.#look(key);
			if (now?.state === state) untrue.push({key, ...now, isYoung: this.repairs.isYoung(key)});
		}

		return untrue;
	}

	async #correct(rows: readonly UntrueRow[]): Promise<void> {
		const shared = this.repairs.open();
		// What could not be corrected is found to be as it was.
		for (const {key} of rows) await correctRow(shared, key).catch(() => undefined);
		await this.repairs.flush();
	}

	async #settle({key, problem, state, isYoung}: UntrueRow): Promise<Finding> {
		const named = {kind: 'row', name: key, problem} as const;
		if (isYoung) return this.repairs.leaveYoung(named);
		return this.repairs.settle(named, 'corrected', () => {
			if (this.#look(key)?.state === state) throw new Error('it is as it was');
		});
	}

	#look(key: Key) {
		return this.comparison.compare(key, entryOf(this.layout, key));
	}
}
