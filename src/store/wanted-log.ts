/** What who follows a partial waits for, told to its owner in a file beside it; and that somebody follows. */
import {
	closeSync,
	constants,
	fstatSync,
	futimesSync,
	openSync,
	readSync,
	rmSync,
	watch,
	writeSync,
	type FSWatcher,
} from 'node:fs';
import {FILE_MODE} from '../base/atomic-file.js';
import type {Range} from '../base/range-set.js';
import {decodeRange, encodeRange, RECORD_BYTES} from './range-record.js';

/** Who follows and has not said so for this long is gone: it says so each second. */
const FOLLOWED_MS = 3000;
/** How often the file is looked at where the system has no watch for it. */
const POLL_MS = 100;
/** Records read at a time. */
const PAGE = 256;

/** Where followers of a partial say what they wait for. */
export function wantedOf(partial: string): string {
	return `${partial}.wanted`;
}

/**
 * The owner's end. Who follows touches the file as long as it reads, so its time
 * is the heartbeat of all who do: one that is killed needs to say nothing, and
 * what counts is that the time changes, not what the wall clock says.
 */
export class WantedLog {
	readonly #file: string;
	readonly #fd: number;
	#watcher: FSWatcher | undefined;
	#timer: NodeJS.Timeout | undefined;
	#position = 0;
	#touchedAtMs: number;
	#heardAtMs = -Infinity;
	#isRemoved = false;

	/**
	 * @param onWanted - called with each range that is told, as soon as it is.
	 * @param now - milliseconds of a clock that nobody sets.
	 * @throws the system's error where there can be no such file.
	 */
	constructor(
		partial: string,
		private readonly onWanted: (range: Range) => void,
		private readonly now: () => number = () => performance.now(),
	) {
		const {O_RDONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants;
		this.#file = wantedOf(partial);
		this.#fd = openSync(this.#file, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
		this.#touchedAtMs = fstatSync(this.#fd).mtimeMs;
		this.#watch();
	}

	/** Whether somebody has said within the last 3 s that it follows. */
	isFollowed(): boolean {
		this.#look();
		return !this.#isRemoved && this.now() - this.#heardAtMs < FOLLOWED_MS;
	}

	/** Hears nothing more. What cannot be removed now is left to the sweep. */
	remove(): void {
		if (this.#isRemoved) return;
		this.#isRemoved = true;
		this.#watcher?.close();
		clearInterval(this.#timer);
		closeSync(this.#fd);
		try {
			rmSync(this.#file, {force: true});
		} catch {
			// The sweep of the next start has it.
		}
	}

	/** libuv has one descriptor of inotify for all watches, but of those a user may have only so many. */
	#watch(): void {
		try {
			this.#watcher = watch(this.#file, {persistent: false}, () => this.#look());
			this.#watcher.on('error', () => this.#poll());
		} catch {
			this.#poll();
		}
	}

	#poll(): void {
		if (!this.#isRemoved) this.#timer ??= setInterval(() => this.#look(), POLL_MS).unref();
	}

	/** Never throws: nobody waits for it. */
	#look(): void {
		if (this.#isRemoved) return;
		try {
			const {mtimeMs} = fstatSync(this.#fd);
			// The kernel counts times in ticks: the next record may not move it.
			const news = [...this.#news()];
			if (mtimeMs !== this.#touchedAtMs || news.length > 0) this.#heardAtMs = this.now();
			this.#touchedAtMs = mtimeMs;
			for (const range of news) this.onWanted(range);
		} catch {
			// What is not heard is told again.
		}
	}

	/** Half a record is not read before the rest is there; one that nobody would write is passed over. */
	*#news(): Generator<Range> {
		const page = Buffer.allocUnsafe(PAGE * RECORD_BYTES);
		for (;;) {
			const count = Math.floor(readSync(this.#fd, page, 0, page.byteLength, this.#position) / RECORD_BYTES);
			if (count === 0) return;
			this.#position += count * RECORD_BYTES;
			const ranges = Array.from({length: count}, (_, index) => decodeRange(page, index * RECORD_BYTES));
			yield* ranges.filter(({start, end}) => start < end && Number.isSafeInteger(end));
		}
	}
}

/** The end of who follows. Never throws: on a full disk less is told. */
export class WantedLogWriter {
	#isClosed = false;

	private constructor(private readonly fd: number) {}

	/** Undefined where nobody listens. */
	static open(partial: string): WantedLogWriter | undefined {
		try {
			const {O_WRONLY, O_APPEND, O_NOFOLLOW, O_NONBLOCK} = constants;
			return new WantedLogWriter(openSync(wantedOf(partial), O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK));
		} catch {
			return undefined;
		}
	}

	/** Says that a reader waits for a range: in one write, because others may write at the same time. */
	want(range: Range): void {
		this.#tell(() => writeSync(this.fd, encodeRange(range)));
	}

	/** Says that somebody follows. */
	stay(): void {
		const now = Date.now() / 1000;
		this.#tell(() => futimesSync(this.fd, now, now));
	}

	/** Whether somebody still listens. */
	get isHeard(): boolean {
		return !this.#isClosed && fstatSync(this.fd).nlink > 0;
	}

	/** Does nothing the second time: by then the descriptor may be another file's. */
	close(): void {
		if (!this.#isClosed) closeSync(this.fd);
		this.#isClosed = true;
	}

	#tell(how: () => void): void {
		if (this.#isClosed) return;
		try {
			how();
		} catch {
			// The owner hears less than there is to say.
		}
	}
}
