/** What has not been worth it so often in a row is tried rarely. */
const MOST_CREDIT = 8;
const RARELY = 16;

/** Whether something that may be in vain is worth trying, by how it went the last times: at least half are to succeed. */
export class Patience {
	#credit = MOST_CREDIT;
	#passedOver = 0;

	/** Asked before each try; of what has been in vain every 16th time is worth it. */
	isWorthIt(): boolean {
		return this.#credit > 0 || ++this.#passedOver % RARELY === 0;
	}

	/** How a try went. */
	note(hasSucceeded: boolean): void {
		this.#credit = hasSucceeded ? Math.min(MOST_CREDIT, this.#credit + 1) : Math.max(0, this.#credit - 1);
	}
}
