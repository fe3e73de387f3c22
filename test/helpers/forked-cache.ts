import {fork, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import type {Commands, Message, Request, Setup} from './cache-process.js';
import {until} from './until.js';

const PROGRAM = path.resolve(import.meta.dirname, 'cache-process.js');
const START_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 60_000;

/** A cache in a process of its own, which is gone with the test: `cache-process.ts` seen from outside. */
export class ForkedCache {
	/** What it saw that must not be. */
	readonly wrong: string[] = [];
	/** The newest version of each of its own URLs that is known to be stored. */
	readonly stored = new Map<string, number>();
	/** URLs of which it had a part, in the order of reading. */
	readonly begun: string[] = [];
	/** Called after each operation of its churn. */
	onOperation: () => void = () => undefined;
	/** Operations of its churn that are done, and those that have read something. */
	operations = 0;
	reads = 0;
	readonly #child: ChildProcess;
	readonly #exited: Promise<number | null>;
	readonly #asked = new Map<number, {resolve: (value: unknown) => void; reject: (reason: Error) => void}>();
	#isReady = false;
	#hasExited = false;

	private constructor(setup: Setup) {
		const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
		this.#child = fork(PROGRAM, [JSON.stringify(setup)], {stdio: [...stdio], execArgv: []});
		this.#child.on('message', (message: Message) => this.#hear(message));
		this.#exited = once(this.#child, 'exit').then(([code]) => this.#end(code as number | null));
	}

	/** Resolves when it has looked at its directory. */
	static async start(t: ExecutionContext, setup: Setup): Promise<ForkedCache> {
		const forked = new ForkedCache(setup);
		t.teardown(() => forked.kill());
		const isOver = () => forked.#isReady || forked.#hasExited;
		await until('the process is ready', isOver, START_DEADLINE_MS);
		if (forked.#hasExited) throw new Error('the process has ended before it was ready');
		return forked;
	}

	/** @throws Error with what the command failed with; or that the process has ended. */
	ask<Name extends keyof Commands>(name: Name, ...args: Parameters<Commands[Name]>): ReturnType<Commands[Name]> {
		const id = this.#asked.size;
		const answer = new Promise((resolve, reject) => {
			this.#asked.set(id, {resolve, reject});
			if (this.#hasExited) reject(new Error('the process has ended'));
			else this.#child.send({id, name, args} satisfies Request, error => error && reject(error));
		});
		return answer as ReturnType<Commands[Name]>;
	}

	/** Resolves once it has done `count` operations more, or has ended. */
	async churned(count: number): Promise<void> {
		const target = this.operations + count;
		while (this.operations < target && !this.#hasExited) {
			await Promise.race([once(this.#child, 'message'), this.#exited]);
		}
	}

	/** Resolves with the exit code once it has closed its cache and ended by itself. */
	async close(): Promise<number | null> {
		await this.ask('close');
		await until('the process has ended', () => this.#hasExited, END_DEADLINE_MS);
		return this.#exited;
	}

	/** SIGSTOP: it lives, and says nothing more. */
	stop(): void {
		this.#child.kill('SIGSTOP');
	}

	/** SIGKILL, if it is still there. Resolves when it is not. */
	async kill(): Promise<void> {
		if (!this.#hasExited) this.#child.kill('SIGKILL');
		await this.#exited;
	}

	#hear(message: Message): void {
		switch (message.is) {
			case 'ready':
				this.#isReady = true;
				return;
			case 'operation':
				this.operations++;
				if (message.hasRead) this.reads++;
				this.onOperation();
				return;
			case 'first bytes':
				this.begun.push(message.url);
				return;
			case 'wrong':
				this.wrong.push(message.what);
				return;
			case 'stored':
				this.stored.set(message.url, message.count);
				return;
			case 'answer':
				this.#asked.get(message.id)?.resolve(message.value);
				return;
			case 'refusal':
				this.#asked.get(message.id)?.reject(new Error(message.reason));
		}
	}

	#end(code: number | null): number | null {
		this.#hasExited = true;
		for (const {reject} of this.#asked.values()) reject(new Error('the process has ended'));
		return code;
	}
}
