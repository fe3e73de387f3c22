import {RETRY, type ItemOptions, type SharedCache} from './shared-cache.js';

type Sum = readonly [total: number, count: number];

const NOTHING: Sum = [0, 0];

/** The average of what all processes have added under a key. */
export class Averager {
	constructor(
		private readonly cache: SharedCache,
		private readonly key: unknown,
		private readonly options: ItemOptions = {},
	) {}

	add(value: number): void {
		this.cache.transact(() => {
			const [total, count] = this.cache.get(this.key, {...RETRY, default: NOTHING}) as Sum;
			this.cache.set(this.key, [total + value, count + 1], {...this.options, ...RETRY});
			if (count === 0) this.cache.pin(this.key);
		}, RETRY);
	}

	/** Null while nothing was added. */
	get(): number | null {
		return average(this.cache.get(this.key, {...RETRY, default: NOTHING}) as Sum);
	}

	/** Begins anew. */
	pop(): number | null {
		return average(this.cache.pop(this.key, {...RETRY, default: NOTHING}) as Sum);
	}
}

function average([total, count]: Sum): number | null {
	return count === 0 ? null : total / count;
}
