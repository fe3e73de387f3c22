import {Worker} from 'node:worker_threads';
import {CacheError} from '../base/errors.js';
import {uniqueSuffix} from '../base/atomic-file.js';
import {thisProcess} from '../base/process-identity.js';
import type {CatalogueServer, ServerEvent} from './catalogue-server.js';
import type {OpenerIdentity} from './catalogue-writer.js';
import type {Layout} from './layout.js';

type Methods = Pick<
	CatalogueServer,
	| 'open'
	| 'apply'
	| 'scan'
	| 'setLimits'
	| 'claim'
	| 'tell'
	| 'release'
	| 'setAlias'
	| 'removeAliases'
	| 'writtenBetween'
	| 'renew'
	| 'recount'
	| 'check'
	| 'close'
>;
export type Method = keyof Methods;

export interface Question {
	readonly id: number;
	readonly method: Method;
	readonly parameters: readonly unknown[];
}

export type Answer =
	| {readonly id: number; readonly result: unknown}
	| {readonly id: number; readonly error: {readonly message: string; readonly code: string | undefined}}
	| {readonly event: ServerEvent};

/** What the thread is started with. */
export interface ThreadData {
	readonly root: string;
	/** Where the catalogue is: `Layout.shared`. */
	readonly shared: string;
	readonly identity: OpenerIdentity;
	/** The `catalogueIdentity` of the one that main reads. */
	readonly known: string;
}

interface Waiter {
	readonly worker: Worker;
	readonly resolve: (result: never) => void;
	readonly reject: (reason: Error) => void;
}

/** Beside the program's own heap: it holds a batch and a page of the directory. */
const HEAP = {maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128};

/**
 * A `CatalogueServer` in a thread of its own. It is started with the first
 * call, and anew with the next one should it have died. It keeps the process
 * alive only while a call is under way.
 */
export class CatalogueThread {
	#worker: Worker | undefined;
	readonly #waiters = new Map<number, Waiter>();
	readonly #data: Omit<ThreadData, 'known'>;
	#calls = 0;
	#isClosed = false;

	constructor(
		{root, shared}: Pick<Layout, 'root' | 'shared'>,
		private readonly onEvent: (event: ServerEvent) => void,
		/** The `catalogueIdentity` of the one that is read here. */
		private readonly known: () => string,
	) {
		this.#data = {root, shared, identity: {...thisProcess(), opener: uniqueSuffix()}};
	}

	/** @throws what the method throws, its message and its `code`; `aborted` when the thread dies meanwhile, or was closed. */
	call<M extends Method>(method: M, ...parameters: Parameters<Methods[M]>): ReturnType<Methods[M]> {
		if (this.#isClosed) {
			return Promise.reject(new CacheError('aborted', 'the catalogue was closed')) as ReturnType<Methods[M]>;
		}

		const worker = (this.#worker ??= this.#start());
		const id = ++this.#calls;
		const answer = new Promise((resolve, reject) => {
			this.#waiters.set(id, {worker, resolve, reject});
			worker.ref();
			worker.postMessage({id, method, parameters} satisfies Question);
		});
		return answer as ReturnType<Methods[M]>;
	}

	/** Ends the thread; what it was told is written, or `patienceMs` are over. */
	async close(patienceMs: number): Promise<void> {
		const worker = this.#worker;
		const closing = worker === undefined ? undefined : this.call('close', patienceMs).catch(() => undefined);
		this.#isClosed = true;
		await closing;
		this.#worker = undefined;
		await worker?.terminate();
	}

	#start(): Worker {
		const worker = new Worker(new URL('catalogue-worker.js', import.meta.url), {
			workerData: {...this.#data, known: this.known()} satisfies ThreadData,
			resourceLimits: HEAP,
			execArgv: [],
		});
		worker.unref();
		worker.on('message', (answer: Answer) => this.#take(worker, answer));
		worker.on('error', error => this.#end(worker, error));
		worker.on('exit', () => this.#end(worker));
		return worker;
	}

	#take(worker: Worker, answer: Answer): void {
		if ('event' in answer) {
			this.onEvent(answer.event);
			return;
		}

		const waiter = this.#waiters.get(answer.id);
		this.#waiters.delete(answer.id);
		if (this.#waiters.size === 0) worker.unref();
		if ('result' in answer) waiter?.resolve(answer.result as never);
		else waiter?.reject(Object.assign(new Error(answer.error.message), {code: answer.error.code}));
	}

	#end(worker: Worker, cause?: unknown): void {
		if (this.#worker === worker) this.#worker = undefined;
		const reason = new CacheError('aborted', 'the thread that writes the catalogue has ended', {cause});
		for (const [id, waiter] of this.#waiters) {
			if (waiter.worker !== worker) continue;
			this.#waiters.delete(id);
			waiter.reject(reason);
		}
	}
}
