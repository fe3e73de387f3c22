import {readFileSync, watch, type FSWatcher} from 'node:fs';
import type {Log} from '../base/log.js';
import type {Key} from './key.js';
import {parseName, type Layout} from './layout.js';

/** Events of one key within this time are told as one: a file being written makes many. */
const GATHER_MS = 100;

/**
 * Tells which keys other programs (and this one) have written to in a store's
 * directory: one inotify watch, whatever the number of entries.
 *
 * libuv says nothing of a queue that overflowed (inotify(7), IN_Q_OVERFLOW),
 * but then all it could hold arrives in one turn of the event loop: so many
 * events mean that some may be missing.
 */
export class DirectoryWatch {
	readonly #watcher: FSWatcher;
	readonly #queueLength = readQueueLength();
	readonly #changed = new Set<Key>();
	#timer: NodeJS.Timeout | undefined;
	#eventsThisTurn = 0;
	#isWatching = true;

	constructor(
		layout: Layout,
		private readonly onChanged: (keys: Key[]) => void,
		private readonly onOverflow: () => void,
		log: Log,
	) {
		this.#watcher = watch(layout.root, {persistent: false}, (_type, name) => this.#note(name));
		this.#watcher.on('error', error => {
			this.#isWatching = false;
			log.error('the store is not watched any more', {reason: error.message});
		});
	}

	/** Whether changes are heard of. */
	get isWatching(): boolean {
		return this.#isWatching;
	}

	close(): void {
		this.#isWatching = false;
		this.#watcher.close();
		clearTimeout(this.#timer);
	}

	#note(name: string | null): void {
		this.#countEvent();
		const key = parseName(name ?? '')?.key;
		if (key === undefined) return;
		this.#changed.add(key);
		this.#timer ??= setTimeout(() => this.#tell(), GATHER_MS).unref();
	}

	#tell(): void {
		const keys = [...this.#changed];
		this.#changed.clear();
		this.#timer = undefined;
		this.onChanged(keys);
	}

	#countEvent(): void {
		if (this.#eventsThisTurn === 0) setImmediate(() => (this.#eventsThisTurn = 0));
		if (++this.#eventsThisTurn === this.#queueLength) this.onOverflow();
	}
}

/** Half of what the kernel queues, because other watches of this process share the queue. */
function readQueueLength(): number {
	const text = readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8');
	return Math.floor(Number(text) / 2);
}
