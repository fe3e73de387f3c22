import path from 'node:path';
import type {Bench, Findings} from './bench.js';
import {interleave, type Runs, type Sample, type Subjects} from './measure.js';
import type {Operation, PortJob} from './port-jobs.js';
import {atMost, rowsOf} from './report.js';
import {Worker} from './workers.js';

/** A program and its arguments. */
export type Program = readonly [program: string, ...args: string[]];

export interface Contest {
	/** Goes before the names of the runs. */
	readonly title: string;
	/** By subject: `larder`, and whom it is to be ahead of. */
	readonly programs: Readonly<Record<string, Program>>;
	readonly operations: Readonly<Record<string, Operation>>;
}

/** A script of this folder, run by node. */
export function scriptOf(name: string, ...args: string[]): Program {
	return [process.execPath, path.resolve(import.meta.dirname, name), ...args];
}

/** One in Python, which is not compiled. */
export function pythonOf(name: string): Program {
	return ['python3', path.resolve(import.meta.dirname, '../../../test/bench', name)];
}

/** Processes of a port and of others take turns, each with an empty directory in each round. */
export async function sideBySide(bench: Bench, {title, programs, operations}: Contest): Promise<Findings> {
	const samples: Record<string, Record<string, Sample[]>> = {};
	const subjects: Subjects = Object.fromEntries(
		Object.entries(programs).map(([name, [program, ...args]]) => {
			const worker = new Worker<PortJob>(bench.cleanup, program, args);
			const turn = async (round: number) => {
				await worker.run({kind: 'open', directory: path.join(bench.directory, `${name}-${round}`)});
				for (const [kind, {calls}] of Object.entries(operations)) {
					const sample = await calling(worker, kind, calls);
					if (round > 0) ((samples[kind] ??= {})[name] ??= []).push(sample);
				}

				return {seconds: 0};
			};
			return [name, turn];
		}),
	);
	await interleave(subjects, bench.rounds);
	const rows = Object.entries(operations).flatMap(([kind, operation]) =>
		rowsOfOperation(operation, samples[kind] ?? {}),
	);
	return {rows, runs: Object.fromEntries(Object.entries(samples).map(([kind, runs]) => [`${title} ${kind}`, runs]))};
}

/** What one call takes. */
async function calling(worker: Worker<PortJob>, kind: string, calls: number): Promise<Sample> {
	const {seconds, cpu, peakRssBytes} = await worker.run({kind, calls});
	return {seconds: seconds / calls, cpu: {user: cpu.user / calls, system: cpu.system / calls}, peakRssBytes};
}

function rowsOfOperation({says, amount = 'one call'}: Operation, runs: Runs): Findings['rows'] {
	const others = Object.keys(runs).filter(name => name !== 'larder');
	return rowsOf(runs, {
		...{workload: says, amount},
		against: {larder: others},
		targets: {larder: others.map(other => atMost(1, runs, 'larder', other))},
	});
}
