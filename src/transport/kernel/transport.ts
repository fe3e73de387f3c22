import type {Log} from '../../base/log.js';
import type {Capabilities} from '../../fs/capabilities.js';
import type {Operations} from '../../fs/operations.js';
import type {Deadlines, Dispatcher} from '../dispatch.js';
import {widenReadahead} from '../readahead.js';
import type {Transport} from '../transport.js';
import {mountDevice, unmountDevice, type DeviceOptions} from './device.js';
import {libc} from './libc.js';
import {Session, type Passthrough} from './session.js';

/** What is not said here the drive does as on fuse-native. */
export const KERNEL_CAPABILITIES: Capabilities = {
	parallelLookup: true,
	interrupt: true,
	directIo: false,
	invalidate: true,
	nodePerVersion: true,
	passthrough: false,
};

/** The drive on `/dev/fuse` itself: the kernel's protocol is spoken here, with no library in between. */
export class KernelTransport implements Transport {
	readonly name = 'kernel';
	readonly capabilities = KERNEL_CAPABILITIES;

	/** Of `ended`. */
	#end: (by: Promise<unknown>) => void = () => undefined;
	readonly ended = new Promise<unknown>(resolve => {
		this.#end = resolve;
	});

	readonly #device: DeviceOptions;
	readonly #passthrough: Passthrough;
	#session: Session | undefined;

	/** @throws Error, one sentence, where this machine lacks what it needs. */
	constructor(
		private readonly operations: Operations,
		private readonly dispatcher: Dispatcher,
		private readonly deadlines: Deadlines,
		private readonly log: Log,
		{passthrough, ...options}: DeviceOptions & {readonly passthrough: Passthrough},
	) {
		libc();
		this.#device = options;
		this.#passthrough = passthrough;
		this.capabilities = {
			parallelLookup: true,
			interrupt: true,
			directIo: false,
			invalidate: false,
			nodePerVersion: false,
			passthrough: passthrough !== 'off',
		};
	}

	async mount(): Promise<void> {
		const device = await mountDevice(this.#device);
		try {
			const {operations, dispatcher, deadlines, log} = this;
			const passthrough = this.#passthrough;
			this.#session = new Session(device, {operations, dispatcher, deadlines, log, passthrough});
			await this.#session.begun;
			this.#end(this.#session.ended);
		} catch (error) {
			await this.unmount().catch(() => undefined);
			throw error;
		}

		await widenReadahead(this.#device.mountpoint);
	}

	async unmount(): Promise<void> {
		this.dispatcher.close();
		try {
			await unmountDevice(this.#device);
		} finally {
			this.#session?.close();
		}
	}
}
