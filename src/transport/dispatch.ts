import type {Awaitable} from '../base/awaitable.js';
import {CacheError, messageOf, type ErrorCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {formatDuration} from '../base/units.js';
import {errnoOf} from '../fs/errno.js';

/** The longest that an operation waits, in ms. */
export interface Deadlines {
	/** For the first bytes of a download, or for all of it where its length is unknown. */
	readonly openMs: number;
	/** For bytes that are still to come. */
	readonly readMs: number;
	/** For everything that does not ask an origin. */
	readonly otherMs: number;
}

/** How an operation ended: with what it returns, or with an errno (positive). */
export type Outcome<T> = {readonly value: T} | {readonly errno: number};

/** An operation that waits for something. */
export interface Started<T> {
	/** Settles once, and never fails. */
	readonly outcome: Promise<Outcome<T>>;
	/** Its caller waits no longer: its signal fires, and it ends with `aborted`, now. */
	interrupt(): void;
}

/** How often running operations are compared with their deadlines, in ms. */
const SWEEP_EVERY_MS = 250;
/** An operation that does not heed its signal is answered for this much later, in ms. */
const GRACE_MS = 1000;
/** The same line is not logged again within this time, in ms. */
const QUIET_MS = 10_000;
/** Failures that are part of every day: names that are not there, readers that go. */
const ORDINARY: ReadonlySet<ErrorCode> = new Set([
	'aborted',
	'bad-name',
	'busy',
	'not-permitted',
	'not-stored',
	'read-only',
	'replaced',
]);

export interface Operation {
	readonly name: string;
	readonly subject: () => string;
	readonly limitMs: number;
	readonly mustSettle?: boolean;
}

interface Running {
	readonly name: string;
	readonly deadlineAt: number;
	readonly limitMs: number;
	readonly controller: AbortController;
	/** Answers for an operation that does not end by itself. */
	giveUp: (error: CacheError) => void;
}

/**
 * Runs each operation that a transport receives: gives it its deadline, turns
 * its failure into an errno, and logs that. Always answers, once.
 */
export class Dispatcher {
	readonly #running = new Set<Running>();
	readonly #logged = new Map<string, number>();
	/** Made for an operation that did not need it. */
	#spare: AbortController | undefined;
	#sweep: NodeJS.Timeout | undefined;
	#count = 0;

	constructor(private readonly log: Log) {}

	/** Operations since the start. */
	get count(): number {
		return this.#count;
	}

	/**
	 * @param subject - what it is about, for the log: redacted by who calls.
	 * @param work - settles soon after its signal fires. One that does not is
	 *   answered for all the same, unless `mustSettle`: it may then still write
	 *   into the caller's buffer. What it returns at once is its outcome, and it
	 *   has then let go of its signal, which is given to others.
	 */
	async run<T>(operation: Operation, work: (signal: AbortSignal) => Awaitable<T>): Promise<Outcome<T>> {
		const started = this.start(operation, work);
		return 'outcome' in started ? started.outcome : started;
	}

	/** As `run`, for who may have to interrupt it where it waits. */
	start<T>(operation: Operation, work: (signal: AbortSignal) => Awaitable<T>): Started<T> | Outcome<T> {
		this.#count++;
		const controller = this.#spare ?? new AbortController();
		this.#spare = undefined;
		let done: Awaitable<T>;
		try {
			done = work(controller.signal);
		} catch (error) {
			this.#spare = controller;
			return this.#failed(operation, error);
		}

		if (done instanceof Promise) return this.#wait(operation, controller, done);
		this.#spare = controller;
		return {value: done};
	}

	#wait<T>(operation: Operation, controller: AbortController, done: Promise<T>): Started<T> {
		const {name, limitMs} = operation;
		const running: Running = {name, limitMs, controller, giveUp() {}, deadlineAt: performance.now() + limitMs};
		this.#begin(running);
		return {
			outcome: this.#outcome(operation, running, done),
			interrupt() {
				const reason = new CacheError('aborted', 'interrupted by its caller');
				controller.abort(reason);
				running.giveUp(reason);
			},
		};
	}

	/** Ends what is running, with `aborted`. */
	close(): void {
		clearInterval(this.#sweep);
		const reason = new CacheError('aborted', 'the drive is being unmounted');
		for (const {controller, giveUp} of this.#running) {
			controller.abort(reason);
			giveUp(reason);
		}
	}

	async #outcome<T>(operation: Operation, running: Running, done: Promise<T>): Promise<Outcome<T>> {
		try {
			return {value: await (operation.mustSettle ? done : Promise.race([done, gaveUp(running)]))};
		} catch (error) {
			return this.#failed(operation, error);
		} finally {
			this.#running.delete(running);
		}
	}

	#failed({name, subject}: Operation, error: unknown): {errno: number} {
		this.#report(name, subject(), error);
		return {errno: errnoOf(error)};
	}

	#begin(running: Running): void {
		this.#running.add(running);
		this.#sweep ??= setInterval(() => this.#sweepDeadlines(), SWEEP_EVERY_MS).unref();
	}

	#sweepDeadlines(): void {
		const now = performance.now();
		for (const {name, limitMs, deadlineAt, controller, giveUp} of this.#running) {
			if (now < deadlineAt) continue;
			const error = new CacheError('deadline', `${name} did not finish within ${formatDuration(limitMs)}`);
			controller.abort(error);
			if (now > deadlineAt + GRACE_MS) giveUp(error);
		}
	}

	#report(name: string, subject: string, error: unknown): void {
		const fields = {operation: name, subject};
		if (!(error instanceof CacheError)) {
			this.log.error('an operation failed unexpectedly', {
				...fields,
				error: error instanceof Error ? error.stack : error,
			});
			return;
		}

		const {code, message} = error;
		if (ORDINARY.has(code)) {
			this.log.debug(message, {...fields, code});
		} else if (this.#isNew(`${code} ${subject}`)) {
			this.log.warn(message, {...fields, code, ...(error.cause !== undefined && {cause: messageOf(error.cause)})});
		}
	}

	#isNew(line: string): boolean {
		const now = performance.now();
		if (now - (this.#logged.get(line) ?? -QUIET_MS) < QUIET_MS) return false;
		if (this.#logged.size > 1000) this.#logged.clear();
		this.#logged.set(line, now);
		return true;
	}
}

function gaveUp(running: Running): Promise<never> {
	return new Promise((_resolve, reject) => {
		running.giveUp = reject;
	});
}
