import {WaitingLine, type PriorityNow} from './waiting-line.js';

/** Leave to download, until it is given back. */
export interface Slot {
	/** Gives it back; once, however often it is called. */
	release(): void;
	/** For the beginning of a body alone: who reads on takes another one. */
	readonly isForBeginning: boolean;
}

export interface SlotLimits {
	/** Slots out at once in all; Infinity lifts it. */
	readonly total: number;
	/** Slots out at once for each host; Infinity lifts it. */
	readonly perHost: number;
}

/**
 * What is only asked about has slots of its own, so that neither waits for the other: twice as many as
 * downloads have, for an answer is short. But no more than these, which leaves the connections of a host to who reads.
 */
const MOST_BEGINNINGS: SlotLimits = {total: 32, perHost: 16};

/**
 * Bounds the downloads that run at once, in all and from each host. The others
 * wait: who has a reader goes first, else who asked first. A host that has all
 * its slots keeps nobody waiting who wants another one.
 */
export class Slots {
	#out = 0;
	/** Slots out, by host; hosts without any are not in it. */
	readonly #outByHost = new Map<string, number>();
	readonly #line = new WaitingLine<string>();
	#beginnings: Slots | undefined;

	/** @throws RangeError for limits that are not whole numbers of 1 or more, or Infinity. */
	constructor(
		readonly limits: SlotLimits,
		private readonly isForBeginnings = false,
	) {
		for (const [name, limit] of Object.entries(limits)) {
			if (!(limit >= 1) || (limit !== Infinity && !Number.isInteger(limit))) {
				throw new RangeError(`${name} is ${limit}, not a whole number of 1 or more`);
			}
		}
	}

	/** Those for what is only asked about. */
	get beginnings(): Slots {
		const {total, perHost} = this.limits;
		const limits = {
			total: Math.min(2 * total, MOST_BEGINNINGS.total),
			perHost: Math.min(2 * perHost, MOST_BEGINNINGS.perHost),
		};
		return (this.#beginnings ??= new Slots(limits, true));
	}

	/**
	 * Waits for a slot. Who is given one gives it back, also when `signal` has
	 * fired since.
	 *
	 * @param host - as `hostOf` has it.
	 * @param priority - who waits for what is to be downloaded.
	 * @throws the signal's reason, when it fires first.
	 */
	async take(host: string, priority: PriorityNow, signal?: AbortSignal): Promise<Slot> {
		signal?.throwIfAborted();
		// Nobody waits for what is free, so who finds room has overtaken nobody.
		if (this.#hasRoom(host)) this.#count(host, 1);
		else await this.#line.wait(host, priority, signal);
		return this.#slot(host);
	}

	#slot(host: string): Slot {
		let isOut = true;
		return {
			isForBeginning: this.isForBeginnings,
			release: () => {
				if (isOut) this.#giveBack(host);
				isOut = false;
			},
		};
	}

	/** One slot is free then, so at most one can be given out. */
	#giveBack(host: string): void {
		this.#count(host, -1);
		for (const waiter of this.#line.inTurn()) {
			if (!this.#hasRoom(waiter.wanted)) continue;
			// Counted here: until the waiter runs, others may ask.
			this.#count(waiter.wanted, 1);
			waiter.admit();
			return;
		}
	}

	#hasRoom(host: string): boolean {
		return this.#out < this.limits.total && (this.#outByHost.get(host) ?? 0) < this.limits.perHost;
	}

	#count(host: string, by: 1 | -1): void {
		const out = (this.#outByHost.get(host) ?? 0) + by;
		this.#out += by;
		if (out > 0) this.#outByHost.set(host, out);
		else this.#outByHost.delete(host);
	}
}

/**
 * The host that a URL is fetched from: `https://A.example/x.gif` ->
 * `'a.example:443'`. What has none, or is no URL, counts as one host, `''`.
 */
export function hostOf(url: string | undefined): string {
	if (url === undefined || !URL.canParse(url)) return '';
	const {hostname, port, protocol} = new URL(url);
	return hostname === '' ? '' : `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}
