import {spawn, type ChildProcessByStdio} from 'node:child_process';
import {once} from 'node:events';
import path from 'node:path';
import {createInterface, type Interface} from 'node:readline';
import type {Readable, Writable} from 'node:stream';
import type {Cleanup} from './cleanup.js';
import type {Answer, Done, Job} from './jobs.js';
import type {Sample} from './measure.js';
import {RunningProcess} from './running-process.js';

const PROGRAM = path.resolve(import.meta.dirname, 'worker.js');
const DEADLINE_MS = 120_000;

/** A process for jobs, one at a time, each a line of JSON there and back. */
export class Worker<Told extends {readonly kind: string} = Job> {
	readonly #child: ChildProcessByStdio<Writable, Readable, null>;
	readonly #answers: Interface;

	/** @param args - what `program` is started with: unless told, worker.ts for node. */
	constructor(cleanup: Cleanup, program = process.execPath, args: readonly string[] = [PROGRAM]) {
		this.#child = spawn(program, args, {stdio: ['pipe', 'pipe', 'inherit']});
		this.#answers = createInterface({input: this.#child.stdout});
		cleanup.add(() => this.#child.kill('SIGKILL'));
	}

	/** As Linux sees it. */
	get process(): RunningProcess {
		return new RunningProcess(this.#child.pid);
	}

	/** @throws Error when the job fails, the worker ends, or the deadline has passed. */
	async run(job: Told): Promise<Done> {
		const settled = new AbortController();
		const signal = AbortSignal.any([settled.signal, AbortSignal.timeout(DEADLINE_MS)]);
		const answered = once(this.#answers, 'line', {signal}) as Promise<[string]>;
		const ended = once(this.#child, 'exit', {signal}).then(() => {
			throw new Error(`a worker ended during ${job.kind}`);
		});
		ended.catch(() => undefined);
		try {
			this.#child.stdin.write(`${JSON.stringify(job)}\n`);
			const [line] = await Promise.race([answered, ended]);
			const answer = JSON.parse(line) as Answer;
			if ('failed' in answer) throw new Error(`${job.kind} failed: ${answer.failed}`);
			return answer.done;
		} finally {
			settled.abort();
		}
	}
}

/**
 * Reads files with several programs at once; each file once, by one of them.
 *
 * @throws Error when they are not `bytes` altogether.
 */
export async function readTogether(
	workers: readonly Worker[],
	files: readonly string[],
	bytes: number,
): Promise<Sample> {
	const shares = workers.map((_, first) => files.filter((_file, index) => index % workers.length === first));
	const from = performance.now();
	const done = await Promise.all(
		workers.map((worker, index) => worker.run({kind: 'read', files: shares[index] ?? []})),
	);
	const seconds = (performance.now() - from) / 1000;
	const read = done.reduce((sum, one) => sum + one.bytes, 0);
	if (read !== bytes) throw new Error(`${read} bytes were read, not ${bytes}`);
	return {seconds};
}

/** Has several programs work at once, each its job. It takes as long as the last of them, starting them not counted. */
export async function together(workers: readonly Worker[], job: (index: number) => Job): Promise<Sample> {
	const done = await Promise.all(workers.map((worker, index) => worker.run(job(index))));
	if (done.some(({bytes}) => bytes === 0)) throw new Error('a worker has seen nothing');
	return {seconds: Math.max(...done.map(({seconds}) => seconds))};
}
