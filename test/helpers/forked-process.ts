import {fork, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import type {ExecutionContext} from 'ava';
import type {Answer, Request, Told} from './do-as-told.js';
import type {Commands} from './other-process.js';

const PROGRAM = new URL('other-process.js', import.meta.url).pathname;

/** Another process, and what it is told to do: a program that calls `doAsTold`, other-process.ts unless told. */
export class ForkedProcess<Calls extends Told = Commands> {
	readonly #child: ChildProcess;
	readonly #exited: Promise<unknown>;
	readonly #waiting = new Map<number, {resolve: (value: never) => void; reject: (reason: Error) => void}>();
	#count = 0;

	/** Ends with the test. */
	static start(t: ExecutionContext): ForkedProcess {
		const forked = new ForkedProcess();
		t.teardown(() => forked.kill());
		return forked;
	}

	constructor(program = PROGRAM) {
		this.#child = fork(program, {serialization: 'advanced'});
		this.#exited = once(this.#child, 'exit');
		this.#child.on('message', (answer: Answer) => this.#take(answer));
		this.#child.on('exit', () => {
			for (const {reject} of this.#waiting.values()) reject(new Error('the other process has ended'));
		});
	}

	/** @throws an Error with the `code` and the message of what was thrown there. */
	tell<C extends keyof Calls & string>(name: C, ...args: Parameters<Calls[C]>): Promise<Awaited<ReturnType<Calls[C]>>> {
		const id = ++this.#count;
		const answer = new Promise((resolve, reject) => {
			this.#waiting.set(id, {resolve, reject});
			this.#child.send({id, name, args} satisfies Request);
		});
		return answer as Promise<Awaited<ReturnType<Calls[C]>>>;
	}

	/** With SIGKILL, as the kernel does it when memory runs out. Resolves once it is gone. */
	async kill(): Promise<void> {
		this.#child.kill('SIGKILL');
		await this.#exited;
	}

	#take(answer: Answer): void {
		const waiter = this.#waiting.get(answer.id);
		this.#waiting.delete(answer.id);
		if ('value' in answer) waiter?.resolve(answer.value as never);
		else waiter?.reject(Object.assign(new Error(answer.message), {code: answer.code}));
	}
}
