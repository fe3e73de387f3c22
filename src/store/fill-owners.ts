import {closeSync, constants, fstatSync, openSync, type BigIntStats} from 'node:fs';
import {chmod} from 'node:fs/promises';
import path from 'node:path';
import {KeyedMutex} from '../base/keyed-mutex.js';
import {isAlive, type ProcessIdentity} from '../base/process-identity.js';
import type {Catalogue} from './catalogue.js';
import {parseIdentity} from './catalogue-writer.js';
import {draftOwner} from './draft-owner.js';
import type {Key} from './key.js';
import {OpenFile} from './open-file.js';
import {RangeLogReader} from './range-log.js';
import {WantedLogWriter} from './wanted-log.js';

/** What the owner of a fill tells who follows it, once it knows how long it will be. */
export interface Announcement {
	/** The name under `downloads/` of the file that grows: what it has is what has arrived. */
	readonly partial: string;
	/** Bytes of the entry to be. */
	readonly sizeBytes: number;
	readonly modifiedAtMs: number;
	/** As the source declared it. */
	readonly mimetype?: string;
	readonly filename: string;
}

/** A fill as its owner says that it stands. */
export interface Sighting {
	/** The owner's row in the catalogue. */
	readonly process: number;
	/** It changes as long as the owner goes on. */
	readonly heartbeat: number;
	/** Undefined before the owner knows, and where only the end will tell the length. */
	readonly announced: Announcement | undefined;
	readonly isOwnerAlive: () => boolean;
}

/** A fill that is this process's. */
export interface OwnedFill {
	announce(announcement: Announcement): void;
	/** The fill is over, or no new reader is to have it. Nothing happens the second time. */
	release(): void;
}

/** Followers are told so often that the owner goes on. */
const HEARTBEAT_MS = 1000;
/** Who opens a URL does not wait longer for the thread that writes the catalogue, which may have to be started first. */
const PATIENCE_MS = 1000;
/** The same for who looks at one, and has a second for all. */
const LOOK_PATIENCE_MS = 500;
/** The same while that thread has not answered who has waited so long. */
const HURRIED_MS = 100;

/**
 * Which process fetches what: of all that have a directory open one fetches a
 * key, and the others read what it has.
 */
export class FillOwners {
	readonly #owned = new Map<Key, OwnedFill>();
	/** What is said of a key arrives in the order in which it is said. */
	readonly #turns = new KeyedMutex<Key>();
	/** Somebody has waited in vain, and nobody was answered since. */
	#isLate = false;
	#timer: NodeJS.Timeout | undefined;
	#isTelling = false;
	#isClosed = false;

	/**
	 * @param downloads - the directory of partials.
	 * @param idle - resolves once what is being done to a key's entry is done.
	 */
	constructor(
		private readonly catalogue: Catalogue,
		private readonly downloads: string,
		private readonly idle: (key: Key) => Promise<void>,
	) {}

	/**
	 * Asks to be the one process that fetches a key.
	 *
	 * @param isRead - somebody waits for its bytes, and not for what they are.
	 * @returns `theirs` where another process is at it; `silent` where none can be
	 *   followed and none asked: the caller may fetch it for itself. Never fails.
	 */
	async claim(key: Key, isRead: boolean): Promise<OwnedFill | 'theirs' | 'silent'> {
		if (this.#isClosed) return 'silent';
		const claiming = this.#turns.run(key, () => this.#claim(key));
		const patienceMs = this.#isLate ? HURRIED_MS : isRead ? PATIENCE_MS : LOOK_PATIENCE_MS;
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<'late'>(resolve => {
			// An answer that came while this thread was held up is heard first.
			timer = setTimeout(() => setImmediate(resolve, 'late'), patienceMs);
		});
		const claimed = await Promise.race([claiming, late]);
		clearTimeout(timer);
		if (claimed !== 'late') return claimed;
		this.#isLate = true;
		void claiming.then(owned => typeof owned === 'object' && owned.release());
		return 'silent';
	}

	/** The fill of a key that a process is at. */
	look(key: Key): Sighting | undefined {
		const row = this.catalogue.fill(key);
		if (row === undefined) return undefined;
		const identity: ProcessIdentity = parseIdentity(row.identity);
		return {
			...{process: row.process, heartbeat: row.heartbeat, isOwnerAlive: () => isAlive(identity)},
			announced: row.progress === null ? undefined : parseAnnouncement(row.progress, key),
		};
	}

	/** Opens a partial for reading; undefined where it is no more, or no file. */
	openPartial({partial}: Announcement): OpenFile | undefined {
		let fd: number;
		try {
			const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants;
			fd = openSync(path.join(this.downloads, partial), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		} catch {
			return undefined;
		}

		if (fstatSync(fd).isFile()) return new OpenFile(fd);
		closeSync(fd);
		return undefined;
	}

	/** What of a partial is there; undefined for one that is written from its first byte to its last. */
	openRanges({partial}: Announcement): RangeLogReader | undefined {
		return RangeLogReader.open(path.join(this.downloads, partial));
	}

	/** Where to say what is waited for of a partial; undefined for one of which no parts are fetched. */
	openWanted({partial}: Announcement): WantedLogWriter | undefined {
		return WantedLogWriter.open(path.join(this.downloads, partial));
	}

	/** Says nothing more; what is owned goes with the process's row in the catalogue. */
	close(): void {
		this.#isClosed = true;
		this.#owned.clear();
		clearInterval(this.#timer);
	}

	async #claim(key: Key): Promise<OwnedFill | 'theirs' | 'silent'> {
		const claim = await this.catalogue.claim(key).catch(() => 'silent' as const);
		this.#isLate = false;
		if (claim !== 'mine') return claim;
		const owned: OwnedFill = {
			announce: announcement => this.#announce(key, owned, announcement),
			release: () => this.#release(key, owned),
		};
		if (!this.#isClosed) this.#owned.set(key, owned);
		this.#beat();
		return owned;
	}

	#announce(key: Key, owned: OwnedFill, announcement: Announcement): void {
		const progress = JSON.stringify(announcement);
		void this.#turns.run(key, async () => {
			if (this.#owned.get(key) === owned) await this.catalogue.tell([key], progress);
		});
	}

	#release(key: Key, owned: OwnedFill): void {
		if (this.#owned.get(key) !== owned) return;
		this.#owned.delete(key);
		this.#beat();
		void this.#turns.run(key, async () => {
			// Who disowns a fill goes on to put an entry in its place: followers find that before they miss the fill.
			await Promise.resolve();
			await this.idle(key);
			// It may have been claimed again.
			if (!this.#owned.has(key) && !this.#isClosed) await this.catalogue.release(key);
		});
	}

	/** Tells from this thread that the process goes on, so that one that is held up falls silent. */
	#beat(): void {
		if (this.#owned.size > 0 && !this.#isClosed) {
			this.#timer ??= setInterval(() => void this.#tell(), HEARTBEAT_MS).unref();
			return;
		}

		clearInterval(this.#timer);
		this.#timer = undefined;
	}

	async #tell(): Promise<void> {
		if (this.#isTelling) return;
		this.#isTelling = true;
		await this.catalogue.tell([...this.#owned.keys()]);
		this.#isTelling = false;
	}
}

/** Tells who follows that no more will come. Who has it open for writing may write all the same. */
export async function seal(partial: string): Promise<void> {
	await chmod(partial, 0o400).catch(() => undefined);
}

/** Whether no more will come: it was sealed, or removed. */
export function isSealed({mode, nlink}: BigIntStats): boolean {
	return nlink === 0n || (mode & 0o200n) === 0n;
}

/** Undefined for what no owner of this key's fill would say: above all, no other file is opened for it. */
function parseAnnouncement(text: string, key: Key): Announcement | undefined {
	let said: Partial<Record<keyof Announcement, unknown>>;
	try {
		said = Object(JSON.parse(text)) as typeof said;
	} catch {
		return undefined;
	}

	const {partial, sizeBytes, modifiedAtMs, mimetype, filename} = said;
	if (typeof partial !== 'string' || draftOwner(partial)?.key !== key) return undefined;
	if (!Number.isSafeInteger(sizeBytes) || (sizeBytes as number) < 0) return undefined;
	if (typeof modifiedAtMs !== 'number' || typeof filename !== 'string') return undefined;
	return {
		...{partial, sizeBytes: sizeBytes as number, modifiedAtMs, filename},
		...(typeof mimetype === 'string' && {mimetype}),
	};
}
