import type {Log} from '../../base/log.js';
import type {Capabilities} from '../../fs/capabilities.js';
import type {Operations} from '../../fs/operations.js';
import type {Deadlines, Dispatcher} from '../dispatch.js';
import {widenReadahead} from '../readahead.js';
import type {Transport} from '../transport.js';
import {mountDevice, takeDevice, unmountDevice, type DeviceOptions} from './device.js';
import {libc} from './libc.js';
import {Session, type Passthrough} from './session.js';

export const KERNEL_CAPABILITIES: Capabilities = {
	parallelLookup: true,
	interrupt: true,
	directIo: true,
	invalidate: true,
	nodePerVersion: true,
	passthrough: true,
};

export interface KernelOptions extends DeviceOptions {
	/** The device, where it was mounted by somebody else, who also unmounts it. */
	readonly descriptor?: number | undefined;
	readonly passthrough: Passthrough;
}

/** The drive on `/dev/fuse` itself: the kernel's protocol is spoken here, with no library in between. */
export class KernelTransport implements Transport {
	readonly name = 'kernel';
	readonly capabilities = KERNEL_CAPABILITIES;

	/** Of `ended`. */
	#end: (by: Promise<unknown>) => void = () => undefined;
	readonly ended = new Promise<unknown>(resolve => {
		this.#end = resolve;
	});

	readonly #options: KernelOptions;
	#session: Session | undefined;

	/** @throws Error, one sentence, where this machine lacks what it needs. */
	constructor(
		private readonly operations: Operations,
		private readonly dispatcher: Dispatcher,
		private readonly deadlines: Deadlines,
		private readonly log: Log,
		options: KernelOptions,
	) {
		libc();
		this.#options = options;
	}

	async mount(): Promise<void> {
		const {descriptor, passthrough, mountpoint} = this.#options;
		const device = descriptor === undefined ? await mountDevice(this.#options) : takeDevice(descriptor);
		try {
			const {operations, dispatcher, deadlines, log} = this;
			this.#session = new Session(device, {operations, dispatcher, deadlines, log, passthrough});
			await this.#session.begun;
			this.#end(this.#session.ended);
		} catch (error) {
			await this.unmount().catch(() => undefined);
			throw error;
		}

		await widenReadahead(mountpoint);
	}

	async unmount(): Promise<void> {
		this.dispatcher.close();
		try {
			if (this.#options.descriptor === undefined) await unmountDevice(this.#options);
		} finally {
			this.#session?.close();
		}
	}
}
