/** The half of a worker's conversation that is in the worker: a line of JSON for each job, and one back. */
import type {Hash} from 'node:crypto';
import {createInterface} from 'node:readline';
import type {Answer, Done} from './jobs.js';

export function serve<Told>(run: (job: Told) => Promise<Done>): void {
	createInterface({input: process.stdin}).on('line', line => {
		void run(JSON.parse(line) as Told).then(
			done => answer({done}),
			(error: unknown) => answer({failed: error instanceof Error ? (error.stack ?? error.message) : String(error)}),
		);
	});
}

function answer(value: Answer): void {
	process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** @param work - returns the bytes it has moved. */
export async function timed(work: () => number | Promise<number>, hash?: Hash): Promise<Done> {
	const cpuBefore = process.cpuUsage();
	const from = performance.now();
	const bytes = await work();
	const seconds = (performance.now() - from) / 1000;
	const {user, system} = process.cpuUsage(cpuBefore);
	const cpu = {user: user / 1e6, system: system / 1e6};
	const peakRssBytes = process.resourceUsage().maxRSS * 1024;
	return {seconds, cpu, bytes, peakRssBytes, ...(hash && {sha256: hash.digest('hex')})};
}
