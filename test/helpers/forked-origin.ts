import type {ExecutionContext} from 'ava';
import {ForkedProcess} from './forked-process.js';
import type {Behaviour, OriginOptions} from './origin.js';
import type {Commands, Counts} from './origin-process.js';

const PROGRAM = new URL('origin-process.js', import.meta.url).pathname;

/** An `Origin` in a process of its own, which keeps to its rate whatever the test is busy with. */
export class ForkedOrigin {
	private constructor(
		private readonly process: ForkedProcess<Commands>,
		private readonly base: string,
	) {}

	/** Ends with the test. */
	static async start(t: ExecutionContext, options: OriginOptions = {}): Promise<ForkedOrigin> {
		const origin = await ForkedOrigin.open(options);
		t.teardown(() => origin.kill());
		return origin;
	}

	/** Ends when it is killed. */
	static async open(options: OriginOptions = {}): Promise<ForkedOrigin> {
		const forked = new ForkedProcess<Commands>(PROGRAM);
		return new ForkedOrigin(forked, await forked.tell('start', options));
	}

	url(path: string): string {
		return `${this.base}${path}`;
	}

	/** As `Origin.serve`; there is no `handle`. Returns the URL. */
	async serve(path: string, behaviour: Omit<Behaviour, 'handle'>): Promise<string> {
		await this.process.tell('serve', path, behaviour);
		return this.url(path);
	}

	/** What was asked for and sent of a path, with the query; or of all. */
	counts(path?: string): Promise<Counts> {
		return this.process.tell('counts', path);
	}

	/** Resolves once no connection is open: what was sent then does not grow. */
	disconnected(): Promise<void> {
		return this.process.tell('disconnected');
	}

	kill(): Promise<void> {
		return this.process.kill();
	}
}
