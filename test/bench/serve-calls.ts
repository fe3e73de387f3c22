/** A worker that has something open, and calls what it can do: what it is told is a `PortJob`. */
import type {Done} from './jobs.js';
import type {PortJob} from './port-jobs.js';
import {serve, timed} from './serve.js';

export type Calls<Opened> = Readonly<Record<string, (opened: Opened, call: number) => unknown>>;

/** @param open - in a directory that is not there yet; `before` is what is open, to be closed. */
export function serveCalls<Opened>(
	open: (directory: string, before: Opened | undefined) => Opened | Promise<Opened>,
	calls: Calls<Opened>,
): void {
	let opened: Opened | undefined;
	serve((job: PortJob): Promise<Done> => {
		if ('directory' in job) {
			return timed(async () => {
				opened = await open(job.directory, opened);
				return 0;
			});
		}

		const [operation, cache] = [calls[job.kind], opened];
		if (operation === undefined || cache === undefined) throw new Error(`${job.kind} cannot be done`);
		return timed(() => callAll(operation, cache, job.calls));
	});
}

/** One after the other; what is no promise is not waited for. */
async function callAll<Opened>(operation: Calls<Opened>[string], opened: Opened, calls: number): Promise<number> {
	for (let call = 0; call < calls; call++) {
		const result = operation(opened, call);
		if (result instanceof Promise) await result;
	}

	return 0;
}
