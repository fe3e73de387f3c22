import {close, closeSync, write} from 'node:fs';
import {Socket} from 'node:net';
import {systemCode} from '../../base/errors.js';
import {libc} from './libc.js';
import {Patience} from './patience.js';
import {BACKING_MAP} from './protocol/structs.js';
import {RequestMemory} from './request-memory.js';
import {BACKING_CLOSE, BACKING_OPEN} from './protocol/flags.js';
import type {Region} from './protocol/request.js';

/** Room for a header and its struct before what a WRITE brings. */
const HEAD_BYTES = 4096;
/** Requests taken in one turn of the event loop, so that what else goes on in it goes on. */
const MOST_AT_ONCE = 32;
/**
 * So long the next request is looked for before it is waited for, in ms. A program
 * that reads on asks again sooner than a thread that sleeps is woken: one that
 * reads pages at random is served twice as many, at no more processor time each.
 */
const LOOK_MS = 0.05;
/** How long that may keep the event loop from turning, in ms: libuv goes on with a stream for as long as something comes. */
const TURN_MS = 1;

/** The end that is expected: the drive was unmounted, or its connection aborted. */
const ORDERLY_ENDS: ReadonlySet<string | undefined> = new Set(['ENODEV', 'ECONNABORTED', 'EPERM']);

export interface ChannelEvents {
	/** One request, whole. Its bytes stay as they are. */
	onRequest(request: Region): void;
	/** Whether all requests were answered: else there is something to be done that is waited for. */
	isAllAnswered(): boolean;
	/** There are no more. @param error - what went wrong, if it was not an unmount. */
	onEnd(error: Error | undefined): void;
}

/**
 * `/dev/fuse`, in the event loop of this thread: requests come as they are
 * made, replies are written at once.
 *
 * The device takes part in epoll(7), and libuv would watch it as it is. But
 * `Socket` takes no descriptor that does not look like a socket: so it gets
 * one, and the device is put in its place before the loop looks at it. Against
 * a thread that reads and hands over, each request saves a wake-up: an open,
 * read and close took 22 to 83 microseconds of CPU instead of 60 to 185.
 */
export class Channel {
	readonly #socket: Socket;
	readonly #fd: number;
	readonly #buffer: Buffer;
	readonly #memory = new RequestMemory();
	/** The device once more, for what is written on other threads: it is closed when they are done. */
	readonly #notices: number;
	#notifying = 0;
	readonly #patience = new Patience();
	/** When the event loop has to turn; undefined where nothing was looked for since it has. */
	#turnEndsAt: number | undefined;
	readonly #mapBytes = Buffer.alloc(BACKING_MAP.sizeBytes);
	readonly #map = BACKING_MAP.at(new DataView(this.#mapBytes.buffer, this.#mapBytes.byteOffset), 0);
	#isOpen = true;

	/**
	 * @param device - mounted; it is the channel's from now on, or closed where this throws.
	 * @param maxWriteBytes - the most that a WRITE brings, as INIT is told.
	 */
	constructor(
		device: number,
		maxWriteBytes: number,
		private readonly events: ChannelEvents,
	) {
		const buffer = Buffer.alloc(HEAD_BYTES + maxWriteBytes);
		this.#buffer = buffer;
		const callback = (length: number) => {
			this.#take(length);
			return true;
		};
		try {
			const [fd, other] = libc().socketPair();
			this.#fd = fd;
			// Documented for connect(), and the same here.
			const options = {fd, readable: true, writable: false, onread: {buffer, callback}};
			this.#socket = new Socket(options);
			closeSync(other);
			libc().neverBlock(device);
			libc().replace(fd, device);
			this.#notices = libc().duplicate(device);
		} finally {
			closeSync(device);
		}

		this.#socket.once('error', error => this.#end(ORDERLY_ENDS.has(systemCode(error)) ? undefined : error));
		this.#socket.once('close', () => this.#end());
	}

	/**
	 * Answers, with a whole reply. One that nobody waits for any more is passed
	 * over: the kernel has given it up (ENOENT), or the drive is gone.
	 *
	 * @throws Error for a reply that the kernel does not take: EINVAL.
	 */
	write(reply: Uint8Array, length = reply.byteLength): void {
		if (!this.#isOpen) return;
		try {
			libc().write(this.#fd, reply, length);
		} catch (error) {
			throwUnlessExpected(error);
		}
	}

	/** As `write`, a reply that lies in a pipe. @returns whether all of it is out of the pipe. */
	splice(pipe: number, length: number): boolean {
		if (!this.#isOpen) return false;
		try {
			return libc().spliceTo(pipe, this.#fd, length) === length;
		} catch (error) {
			throwUnlessExpected(error);
			return false;
		}
	}

	/**
	 * Sends a notification, on a thread of the pool, since the kernel may have much
	 * to do for it. One that comes too late, or that this kernel does not know, is
	 * passed over. Resolves when it has been heard.
	 */
	notify(notification: Uint8Array): Promise<void> {
		if (!this.#isOpen) return Promise.resolve();
		this.#notifying++;
		return new Promise(resolve => {
			write(this.#notices, notification, () => {
				this.#notifying--;
				this.#closeNotices();
				resolve();
			});
		});
	}

	/** Makes a file known that the kernel is to read by itself. @throws Error with the `code` of ioctl(2). */
	openBacking(fd: number): number {
		this.#map.fd = fd;
		return libc().control(this.#fd, BACKING_OPEN, this.#mapBytes);
	}

	closeBacking(id: number): void {
		if (this.#isOpen) libc().control(this.#fd, BACKING_CLOSE, new Uint8Array(Uint32Array.of(id).buffer));
	}

	/** Lets go of the device: who still waits for the drive gets an error. */
	close(): void {
		if (!this.#isOpen) return;
		this.#socket.destroy();
		this.#isOpen = false;
		this.#closeNotices();
	}

	#closeNotices(): void {
		if (!this.#isOpen && this.#notifying === 0) close(this.#notices);
	}

	/** Takes the request that was read, and those that have come meanwhile: each turn of the event loop costs as much as a request. */
	#take(length: number): void {
		this.events.onRequest(this.#memory.keep(this.#buffer, length));
		for (let count = 1; count < MOST_AT_ONCE && this.#isOpen; count++) {
			const next = libc().readSome(this.#fd, this.#buffer) || this.#lookForNext();
			if (next === 0) return;
			this.events.onRequest(this.#memory.keep(this.#buffer, next));
		}
	}

	/** Stays awake for the next request, where it is likely to come at once. @returns how many bytes it has; 0 for none. */
	#lookForNext(): number {
		if (!this.events.isAllAnswered() || !this.#patience.isWorthIt()) return 0;
		const startedAt = performance.now();
		if (this.#turnEndsAt === undefined) {
			this.#turnEndsAt = startedAt + TURN_MS;
			setImmediate(() => (this.#turnEndsAt = undefined));
		}

		const until = Math.min(startedAt + LOOK_MS, this.#turnEndsAt);
		let length = 0;
		let now = startedAt;
		for (; length === 0 && now < until; now = performance.now()) length = libc().readSome(this.#fd, this.#buffer);
		if (length > 0 || now >= startedAt + LOOK_MS) this.#patience.note(length > 0);
		return length;
	}

	#end(error?: Error): void {
		if (!this.#isOpen) return;
		this.close();
		this.events.onEnd(error);
	}
}

/** Of a reply: its request was given up (ENOENT), or the drive is gone. */
function throwUnlessExpected(error: unknown): void {
	const code = systemCode(error);
	if (code !== 'ENOENT' && !ORDERLY_ENDS.has(code)) throw error;
}
