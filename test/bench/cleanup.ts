/** What has to be undone, whatever happens: in the opposite order, each step also when another fails. */
export class Cleanup {
	readonly #steps: Array<() => unknown> = [];
	#running: Promise<void> | undefined;

	add(step: () => unknown): void {
		this.#steps.push(step);
	}

	/** Resolves when everything is undone, also for who comes second. */
	run(): Promise<void> {
		return (this.#running ??= this.#run().finally(() => (this.#running = undefined)));
	}

	async #run(): Promise<void> {
		for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
			try {
				await step();
			} catch (error) {
				console.error('could not be undone:', error);
			}
		}
	}
}
