import {messageOf, systemCode} from '../../base/errors.js';

/** What the kernel is told of files that it may read by itself: `FUSE_DEV_IOC_BACKING_OPEN` and `_CLOSE`. */
export interface BackingDevice {
	/** @returns the number by which an open names it. @throws Error with the `code` of ioctl(2). */
	openBacking(fd: number): number;
	closeBacking(id: number): void;
}

/** How the kernel reads a node while it is open. */
interface Mode {
	/** The file that it reads by itself; undefined where it asks us, and keeps pages of its own. */
	readonly backing: number | undefined;
	/** Handles. */
	opens: number;
}

/** What will not go away: no right to do it, and a file system that cannot be read so. */
const FOR_GOOD: ReadonlySet<string | undefined> = new Set(['EPERM', 'EINVAL', 'ELOOP', 'ENOTTY', 'EOPNOTSUPP']);

/**
 * Which open files the kernel reads by itself (passthrough). That is decided by
 * the first open of a node and holds until its last release: the kernel answers
 * EIO to who opens a node the other way meanwhile, or with another file.
 */
export class BackingFiles {
	/** Of the nodes that are open. */
	readonly #modes = new Map<number, Mode>();
	/** Undefined where the kernel always asks. */
	#device: BackingDevice | undefined;

	/** @param onRefused - called once, where it turns out that this cannot be done here. */
	constructor(private readonly onRefused: (reason: string) => void) {}

	/** From now on files are made known to the kernel, which has agreed to that. */
	use(device: BackingDevice): void {
		this.#device = device;
	}

	/**
	 * A node was opened: for reading alone, or for writing by itself.
	 *
	 * @param fd - what it may be read from, as long as it is open; undefined where that cannot be, and for who writes.
	 * @returns the number of the file that the kernel is to read; undefined where it is to ask.
	 */
	open(node: number, fd: number | undefined): number | undefined {
		let mode = this.#modes.get(node);
		if (mode === undefined) {
			mode = {backing: fd === undefined ? undefined : this.#register(fd), opens: 0};
			this.#modes.set(node, mode);
		}

		mode.opens++;
		return mode.backing;
	}

	release(node: number): void {
		const mode = this.#modes.get(node);
		if (mode === undefined || --mode.opens > 0) return;
		this.#modes.delete(node);
		if (mode.backing !== undefined) this.#device?.closeBacking(mode.backing);
	}

	#register(fd: number): number | undefined {
		try {
			return this.#device?.openBacking(fd);
		} catch (error) {
			if (!FOR_GOOD.has(systemCode(error))) return undefined;
			this.#device = undefined;
			this.onRefused(messageOf(error));
			return undefined;
		}
	}
}
