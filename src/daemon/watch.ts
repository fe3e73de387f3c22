import {existsSync} from 'node:fs';
import {stat} from 'node:fs/promises';
import path from 'node:path';
import {watch, type FSWatcher} from 'chokidar';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';

export interface ConfigWatcher {
	close(): Promise<void>;
}

/** An editor writes, renames and removes for a while; the last of it counts. */
const SETTLE_MS = 100;

/** How often a file's directory is looked for, to notice that it was made or replaced. */
const DIRECTORY_MS = 1000;

/**
 * Calls `onChange` after one of `files` was created, written, replaced by
 * rename or deleted, once for changes in quick succession. Neither a file nor
 * its directory needs to exist yet. What the file says is the caller's affair.
 *
 * Resolves once changes are noticed.
 *
 * @param files - absolute.
 */
export async function watchConfig(files: readonly string[], onChange: () => void, log: Log): Promise<ConfigWatcher> {
	let settling: NodeJS.Timeout | undefined;
	const changed = () => {
		clearTimeout(settling);
		settling = setTimeout(onChange, SETTLE_MS);
	};
	const watches = files.map(file => new FileWatch(file, changed, log));
	await Promise.all(watches.map(one => one.look()));
	const looking = setInterval(() => {
		for (const one of watches) void one.look();
	}, DIRECTORY_MS);

	return {
		async close() {
			clearInterval(looking);
			await Promise.all(watches.map(one => one.close()));
			clearTimeout(settling);
		},
	};
}

/**
 * chokidar on one file, for as long as its directory is the same one. Watching
 * the directories above would find a new one too, but in a watched directory
 * chokidar stats every neighbour, and one of them may be a drive that hangs.
 */
class FileWatch {
	readonly #file: string;
	readonly #changed: () => void;
	readonly #log: Log;
	#directory: string | undefined;
	#started = false;
	#watcher: FSWatcher | undefined;
	#looking: Promise<void> | undefined;
	#closed = false;

	constructor(file: string, changed: () => void, log: Log) {
		this.#file = file;
		this.#changed = changed;
		this.#log = log;
	}

	/** Starts anew when the directory is not the one that was there before. One look at a time. */
	look(): Promise<void> {
		return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
	}

	async close(): Promise<void> {
		this.#closed = true;
		await this.#looking;
		await this.#watcher?.close();
	}

	async #look(): Promise<void> {
		const directory = await identityOf(path.dirname(this.#file));
		if (this.#closed || (this.#started && directory === this.#directory)) return;

		await this.#watcher?.close();
		this.#watcher = directory === undefined ? undefined : await this.#watch();
		this.#directory = directory;
		if (this.#started) this.#changed();
		this.#started = true;
	}

	async #watch(): Promise<FSWatcher> {
		const directory = path.dirname(this.#file);
		// For a missing file chokidar is ready before it watches the directory in its place; told to, it is not.
		const watcher = watch(existsSync(this.#file) ? this.#file : directory, {
			ignoreInitial: true,
			ignored: name => name !== this.#file && name !== directory,
		});
		watcher.on('all', (_event, name) => {
			if (name === this.#file) this.#changed();
		});
		watcher.on('error', error => {
			this.#log.warn('the configuration cannot be watched', {file: this.#file, reason: messageOf(error)});
		});
		await new Promise<void>(resolve => watcher.once('ready', resolve));
		return watcher;
	}
}

/** Tells a directory from the next one of its name, whose inode number may be the same; nothing where there is none. */
async function identityOf(directory: string): Promise<string | undefined> {
	return stat(directory).then(
		({dev, ino, birthtimeMs}) => `${dev}:${ino}:${birthtimeMs}`,
		() => undefined,
	);
}
