import {existsSync, lstatSync, opendirSync} from 'node:fs';
import {lstat, readdir} from 'node:fs/promises';
import path from 'node:path';
import type {Clock} from '../base/clock.js';
import {asError, CacheError, messageOf, systemCode} from '../base/errors.js';
import type {CatalogueState} from './catalogue-check.js';
import {CatalogueComparison} from './catalogue-comparison.js';
import {CatalogueThread} from './catalogue-thread.js';
import {draftOwner, isAtWork} from './draft-owner.js';
import type {Entry} from './entry.js';
import {assertLocal, isReadOnly} from './file-system.js';
import type {Key} from './key.js';
import {Layout, parseName} from './layout.js';
import {damagedPartials, inspectPartial, sweepPartials} from './partial-files.js';
import {sweepDownloads} from './recover.js';
import type {Shared} from './shared.js';
import {entryOf, examine, moveAway, readFailure, type Examined, type Problem} from './verify-entry.js';
import {Repairs, type Finding, type Outcome} from './verify-repairs.js';
import {SuspectRows} from './verify-rows.js';

export type {Finding, Outcome};

export interface VerifyOptions {
	/** Makes good what can be made good; else nothing on the disk is changed. */
	readonly repair?: boolean;
	/** Reads every byte too: a disk that fails shows only then. */
	readonly read?: boolean;
	readonly signal?: AbortSignal;
}

export interface Summary {
	readonly entries: number;
	readonly bytes: number;
	/** Names at the top of the directory that are nobody's. They are left alone. */
	readonly foreign: number;
	readonly findings: Readonly<Record<Outcome, number>>;
	/** What was damaged, this time or earlier, and can be looked at. */
	readonly quarantine: {readonly files: number; readonly bytes: number};
}

/** How far it has come: in entries and rows, or in bytes where these are read. */
export interface VerifyProgress {
	readonly done: number;
	/** By the catalogue; 1 until it has been asked. */
	readonly total: number;
}

/** Names read from the directory at a time. */
const NAMES = 256;

/**
 * Holds every file against its sidecar and the catalogue, beside whoever works
 * in the directory: what may be changing is looked at again before anything is
 * said of it. To be iterated once; `summary` is complete then.
 *
 * @throws CacheError `not-found` for a directory that is not there, `unsupported`
 *   for one on NFS; the reason of `signal`.
 */
export class Verification implements AsyncIterable<Finding> {
	readonly #layout: Layout;
	readonly #clock: Clock;
	readonly #repairs: Repairs;
	readonly #comparison: CatalogueComparison;
	readonly #suspects: SuspectRows;
	readonly #progress = {done: 0, total: 1};
	readonly #findings = {'found': 0, 'repaired': 0, 'failed': 0, 'too-young': 0};
	readonly #sums = {entries: 0, bytes: 0, foreign: 0, quarantine: {files: 0, bytes: 0}};

	/**
	 * @param root - an absolute path.
	 * @param open - what the directory is open with in this process already.
	 */
	constructor(
		root: string,
		private readonly options: VerifyOptions,
		{clock, open}: {clock: Clock; open?: Shared},
	) {
		const {repair: isRepairing = false, signal} = options;
		this.#layout = open?.layout ?? new Layout(root);
		this.#clock = clock;
		this.#repairs = new Repairs({layout: this.#layout, clock, isRepairing, open, signal});
		this.#comparison = new CatalogueComparison(this.#layout);
		this.#suspects = new SuspectRows(this.#layout, this.#comparison, this.#repairs);
	}

	get progress(): VerifyProgress {
		return this.#progress;
	}

	get summary(): Summary {
		return {...this.#sums, findings: this.#findings};
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Finding> {
		try {
			for await (const finding of this.#look()) {
				this.#findings[finding.outcome]++;
				yield finding;
			}
		} finally {
			this.#comparison.close();
			await this.#repairs.close();
		}
	}

	async *#look(): AsyncGenerator<Finding> {
		this.#assertThere();
		assertLocal(this.#layout.root);
		yield* this.#catalogue();
		yield* this.#drafts();
		yield* this.#partials();
		yield* this.#entries();
		yield* this.#rows();
		await this.#weighQuarantine();
	}

	#assertThere(): void {
		const {root} = this.#layout;
		if (!existsSync(root)) throw new CacheError('not-found', `there is no cache directory at ${root}`);
	}

	async *#catalogue(): AsyncGenerator<Finding> {
		if (isReadOnly(this.#layout.root)) {
			// SQLite reads a log of changes only where it may write beside it.
			this.#comparison.giveUp();
			return;
		}

		const {damage, miscount, totals} = await this.#catalogueState();
		this.#progress.total = this.options.read === true ? totals.sizeBytes : 2 * totals.entries;
		const catalogue = {kind: 'catalogue', name: this.#nameOf(this.#layout.catalogue)} as const;
		if (damage !== undefined) {
			const named = {...catalogue, problem: damage};
			const remedy = 'made anew from the directory';
			const finding = await this.#repairs.settle(named, remedy, shared => this.#renewCatalogue(shared));
			if (finding.outcome !== 'repaired') this.#comparison.giveUp();
			yield finding;
		} else if (miscount !== undefined) {
			const named = {...catalogue, problem: miscount};
			yield await this.#repairs.settle(named, 'counted again', shared => shared.catalogue.recount());
		}
	}

	/** Before the entries: what a dead process had all but published is finished with its draft. */
	async *#drafts(): AsyncGenerator<Finding> {
		const {downloads} = this.#layout;
		let sweeping: Promise<void> | undefined;
		for (const {file, pid, remedy} of leftDrafts(downloads, await namesIn(downloads))) {
			const problem = `process ${pid}, which was at it, is no more`;
			const named = {kind: 'draft', name: this.#nameOf(file), problem} as const;
			yield await this.#repairs.settle(named, remedy, async ({layout, locks}) => {
				sweeping ??= sweepDownloads(layout, locks);
				const failure = await sweeping.then(() => undefined, asError);
				if (existsSync(file)) throw failure ?? new Error('it is still there');
			});
		}
	}

	/** What was begun and is kept is as it should be; what is in its place and is none is not. */
	async *#partials(): AsyncGenerator<Finding> {
		const nowMs = this.#clock.now();
		for (const name of [...damagedPartials(this.#layout, nowMs)]) {
			const file = path.join(this.#layout.partials, name);
			const problem = 'nobody can go on with it: its data and what tells of them do not belong together';
			const named = {kind: 'draft', name: this.#nameOf(file), problem} as const;
			yield await this.#repairs.settle(named, 'removed', ({layout}) => {
				sweepPartials(layout, nowMs);
				if (existsSync(file)) throw new Error('it is still there');
			});
		}
	}

	async *#entries(): AsyncGenerator<Finding> {
		const directory = opendirSync(this.#layout.root, {bufferSize: NAMES});
		try {
			for (let item = directory.readSync(); item !== null; item = directory.readSync()) {
				if (this.#repairs.isSliceOver) await this.#repairs.nextSlice();
				const name = parseName(item.name);
				if (name === undefined) {
					if (item.name !== '.larder') this.#sums.foreign++;
					continue;
				}

				// What has a sidecar is looked at in the sidecar's turn.
				if (name.kind === 'data' && isThere(this.#layout.sidecar(name.key))) continue;
				const finding = await this.#entry(name.key);
				if (finding !== undefined) yield finding;
				if (this.#suspects.areMany) yield* this.#suspects.judge(this.options.signal);
			}
		} finally {
			directory.closeSync();
		}
	}

	async #entry(key: Key): Promise<Finding | undefined> {
		const examined = examine(this.#layout, key);
		if (examined.state === 'absent') return undefined;
		if (examined.state === 'damaged') return this.#judge(key, examined, () => examine(this.#layout, key));
		const {entry} = examined;
		this.#sums.entries++;
		this.#sums.bytes += entry.sizeBytes;
		this.#suspects.compare(key, entry);
		if (this.options.read === true) return this.#read(entry);
		this.#progress.done++;
		return undefined;
	}

	async #read(entry: Entry): Promise<Finding | undefined> {
		const onRead = (bytes: number) => (this.#progress.done += bytes);
		const failure = await readFailure(this.#layout, entry, onRead, this.options.signal);
		if (failure === undefined) return undefined;
		return this.#judge(entry.key, failure, () => {
			const now = entryOf(this.#layout, entry.key);
			return now?.data === entry.data ? failure : {state: 'absent'};
		});
	}

	/** Looks again under the key's lock: what is being replaced is no damage. */
	async #judge(key: Key, first: Problem, again: () => Examined): Promise<Finding | undefined> {
		const named = {kind: 'entry', name: key, problem: first.problem} as const;
		try {
			return await this.#repairs.locked(key, async () => {
				const now = again();
				return now.state === 'damaged' ? this.#settle({...named, problem: now.problem}, now) : undefined;
			});
		} catch (error) {
			return {...named, outcome: 'failed', action: `left alone: ${messageOf(error)}`};
		}
	}

	async #settle(named: {kind: 'entry'; name: Key; problem: string}, {isForbidden}: Problem): Promise<Finding> {
		const {name: key} = named;
		if (this.#repairs.isYoung(key)) return this.#repairs.leaveYoung(named);
		if (isForbidden) return {...named, outcome: 'failed', action: 'left alone: this user may not read it'};
		return this.#repairs.settle(named, 'moved to quarantine', async ({layout, catalogue}) => {
			await moveAway(layout, key, this.#clock.now());
			catalogue.delete(key);
		});
	}

	/** Those without files: the others were looked at with their files. */
	async *#rows(): AsyncGenerator<Finding> {
		await this.#repairs.flush();
		for (const key of this.#comparison.keys()) {
			if (this.#repairs.isSliceOver) await this.#repairs.nextSlice();
			if (this.options.read !== true) this.#progress.done++;
			const {data, sidecar} = {data: this.#layout.data(key), sidecar: this.#layout.sidecar(key)};
			if (!isThere(sidecar) && !isThere(data)) this.#suspects.compare(key, undefined);
			if (this.#suspects.areMany) yield* this.#suspects.judge(this.options.signal);
		}

		yield* this.#suspects.judge(this.options.signal);
	}

	async #renewCatalogue({catalogue}: Shared): Promise<void> {
		// Opening it has made it anew already, or brought it up to date, unless one has to look closer.
		const {damage} = await this.#catalogueState();
		if (damage !== undefined) await catalogue.renew(damage);
		await catalogue.scan(false);
		const after = await this.#catalogueState();
		if (after.damage !== undefined) throw new Error(after.damage);
	}

	/** Found out in a thread of its own: it takes as long as reading all of the catalogue. */
	async #catalogueState(): Promise<CatalogueState> {
		const thread = new CatalogueThread(
			this.#layout,
			() => undefined,
			() => '',
		);
		try {
			return await thread.call('check');
		} finally {
			await thread.close(0);
		}
	}

	async #weighQuarantine(): Promise<void> {
		const {quarantine} = this.#layout;
		for (const name of await namesIn(quarantine)) {
			const stats = await lstat(path.join(quarantine, name)).catch(() => undefined);
			if (stats === undefined) continue;
			this.#sums.quarantine.files++;
			this.#sums.quarantine.bytes += stats.size;
		}
	}

	#nameOf(file: string): string {
		return path.relative(this.#layout.root, file);
	}
}

interface LeftDraft {
	readonly file: string;
	readonly pid: number;
	/** What the sweep does to it. */
	readonly remedy: string;
}

/** The drafts of processes that are no more. The log of one that will be kept goes with its data, and is not named. */
function leftDrafts(downloads: string, names: readonly string[]): LeftDraft[] {
	return names.flatMap(name => {
		const owner = draftOwner(name);
		if (owner === undefined || isAtWork(owner)) return [];
		const {key, pid} = owner;
		const file = path.join(downloads, name);
		if (inspectPartial(key, file) !== undefined) return {file, pid, remedy: 'kept for the next reader'};
		const data = file.replace(/\.(ranges|wanted)$/, '');
		return data !== file && inspectPartial(key, data) !== undefined ? [] : {file, pid, remedy: 'removed'};
	});
}

function isThere(file: string): boolean {
	return lstatSync(file, {throwIfNoEntry: false}) !== undefined;
}

/** None where there is no such directory. */
async function namesIn(directory: string): Promise<string[]> {
	return readdir(directory).catch((error: unknown) => {
		if (systemCode(error) === 'ENOENT') return [];
		throw error;
	});
}
