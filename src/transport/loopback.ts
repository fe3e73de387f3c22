import {getSystemErrorName} from 'node:util';
import type {Capabilities} from '../fs/capabilities.js';
import type {Inode} from '../fs/inode.js';
import type {HandleId, Operations} from '../fs/operations.js';
import type {Deadlines, Dispatcher, Outcome} from './dispatch.js';
import type {Transport} from './transport.js';

const READ_ONLY = {read: true, write: false, truncate: false};

export const LOOPBACK_CAPABILITIES: Capabilities = {
	parallelLookup: true,
	interrupt: true,
	directIo: true,
	invalidate: true,
	nodePerVersion: true,
	passthrough: false,
};

/**
 * The drive without a kernel: its own process opens and reads files by path,
 * with the deadlines and the errno that a program would get. What a mount costs
 * is the difference to this.
 */
export class Loopback implements Transport {
	readonly name = 'loopback';
	readonly capabilities = LOOPBACK_CAPABILITIES;

	constructor(
		private readonly operations: Operations,
		private readonly dispatcher: Dispatcher,
		private readonly deadlines: Deadlines,
	) {}

	mount(): Promise<void> {
		return Promise.resolve();
	}

	unmount(): Promise<void> {
		this.dispatcher.close();
		return Promise.resolve();
	}

	/**
	 * Opens a file for reading. Close it, once.
	 *
	 * @param path - below the top of the drive: `/by-url/…`.
	 * @throws Error with the `code` that open(2) would give.
	 */
	async open(path: string): Promise<LoopbackFile> {
		const operation = {name: 'open', subject: () => path, limitMs: this.deadlines.openMs};
		const handle = await this.dispatcher.run(operation, async signal =>
			this.operations.open(await this.#inode(path, signal), READ_ONLY, signal),
		);
		return new LoopbackFile(valueOf(handle, operation.name), this.operations, this.dispatcher, this.deadlines);
	}

	async #inode(path: string, signal: AbortSignal): Promise<Inode> {
		let inode: Inode = this.operations.root;
		for (const name of path.split('/')) {
			if (name !== '') inode = await this.operations.lookup(inode, name, signal);
		}

		return inode;
	}
}

/** A file that `Loopback` has opened. */
export class LoopbackFile {
	constructor(
		private readonly handle: HandleId,
		private readonly operations: Operations,
		private readonly dispatcher: Dispatcher,
		private readonly deadlines: Deadlines,
	) {}

	/** Fills `buffer` from byte `position` on; fewer only at the end, or of a stream. @throws Error with the `code` of read(2). */
	async read(buffer: Uint8Array, position: number): Promise<number> {
		const operation = {name: 'read', subject: () => 'a file', limitMs: this.deadlines.readMs, mustSettle: true};
		const bytes = await this.dispatcher.run(operation, signal =>
			this.operations.read(this.handle, buffer, position, signal),
		);
		return valueOf(bytes, operation.name);
	}

	async close(): Promise<void> {
		const operation = {name: 'release', subject: () => 'a file', limitMs: this.deadlines.otherMs};
		await this.dispatcher.run(operation, signal => this.operations.release(this.handle, signal));
	}
}

function valueOf<T>(outcome: Outcome<T>, operation: string): T {
	if ('value' in outcome) return outcome.value;
	const code = getSystemErrorName(-outcome.errno);
	throw Object.assign(new Error(`${operation}: ${code}`), {code});
}
