/**
 * A program that uses a cache as it is told by the process that forked it, and
 * ends with it: `fork('cache-process.js', [JSON.stringify(setup)])`. Its bodies
 * are those of `checkedBody`, and so whatever it reads is checked.
 *
 * @see forked-cache.ts, its other end
 */
import {CacheError} from '../../src/base/errors.js';
import type {CacheStats} from '../../src/cache/stats.js';
import {keyOf, type Version} from '../../src/library/open.js';
import {checkedMedia, versionOf} from './checked-body.js';
import {openSizedCache} from './sized-cache.js';

export interface Setup {
	readonly directory: string;
	readonly limitBytes: number;
	readonly seed: number;
	/** Which of the processes beside each other this is, from 0 on; at most 2 where the original is there too. */
	readonly slot: number;
	/** Of the versions it stores; above those of the process whose place it takes. */
	readonly firstCount: number;
}

/** What is done at random. */
export interface Plan {
	/** How many things are done one after another for each of the own URLs. */
	readonly operations: number;
	/** The origin has these; anybody may also store over them and evict them. */
	readonly shared: readonly string[];
	/** This process alone stores these, so that their versions ascend; one after another, as many at once as there are. */
	readonly own: readonly string[];
	/** Others store these, in ascending versions. */
	readonly others: readonly string[];
	/** Bytes of what is stored, more or less. */
	readonly lengths: readonly number[];
	/** Errors that are nobody's fault. */
	/** Codes, or ends of messages. */
	readonly tolerated: readonly string[];
}

export interface Commands {
	/** Opens a URL, which may mean a download, and reads all of it. Resolves with its version. */
	read(url: string): Promise<string>;
	/** The same for what is stored; null for what is not. */
	readStored(url: string): Promise<string | null>;
	/** Opens a URL, of whatever bytes, until `leave`. Resolves with its size. */
	open(url: string): Promise<number>;
	/** Reads of what is open, in base64. */
	part(url: string, position: number, length: number): Promise<string>;
	leave(url: string): Promise<void>;
	store(url: string, version: string, length: number): Promise<void>;
	evict(url: string): Promise<boolean>;
	stats(): Promise<CacheStats>;
	/** Resolves with the newest version known of each URL that one process alone stores. */
	churn(plan: Plan): Promise<Record<string, number>>;
	/** Closes the cache; the process then has nothing to live for. */
	close(): Promise<void>;
}

export interface Request {
	readonly id: number;
	readonly name: keyof Commands;
	readonly args: readonly unknown[];
}

export type Message =
	| {readonly is: 'ready'}
	/** An operation of the churn is done. */
	| {readonly is: 'operation'; readonly hasRead: boolean}
	| {readonly is: 'first bytes'; readonly url: string}
	/** The cache did what it must not do. */
	| {readonly is: 'wrong'; readonly what: string}
	/** A version of an own URL is stored. */
	| {readonly is: 'stored'; readonly url: string; readonly count: number}
	| {readonly is: 'answer'; readonly id: number; readonly value: unknown}
	| {readonly is: 'refusal'; readonly id: number; readonly reason: string};

/** A version is read in this many parts, so that others come in between. */
const PARTS = 4;

const setup = JSON.parse(process.argv[2] ?? '') as Setup;
const cache = openSizedCache(setup.directory, setup.limitBytes);
const opened = new Map<string, Version>();

let state = setup.seed;
function random(below: number): number {
	state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
	return Math.floor((state / 2 ** 32) * below);
}

function oneOf<T>(list: readonly T[]): T {
	const one = list[random(list.length)];
	if (one === undefined) throw new RangeError('there is none');
	return one;
}

function tell(message: Message): void {
	process.send?.(message);
}

/** Reads all of a version and closes it. */
async function readWhole(version: Version, url: string): Promise<string> {
	try {
		const bytes = Buffer.alloc(version.sizeBytes);
		const part = Math.ceil(bytes.length / PARTS);
		for (let at = 0; at < bytes.length;) {
			const length = await version.read(bytes.subarray(at, at + part), at);
			if (length === 0) throw new Error(`${url} ended after ${at} of ${bytes.length} bytes`);
			if (at === 0) tell({is: 'first bytes', url});
			at += length;
		}

		return check(bytes, url, (await version.whole()).filename);
	} finally {
		version.close();
	}
}

/** The bytes are of a version, and what is said of them is of the same one. */
function check(bytes: Buffer, url: string, filename: string): string {
	const version = versionOf(bytes, url);
	if (version === undefined) {
		const head = JSON.stringify(bytes.toString('latin1', 0, 100));
		throw new Error(`${bytes.length} bytes that are no version of ${url}: ${head}`);
	}

	if (filename !== `${version}.bin`) throw new Error(`the bytes of ${version} of ${url} were called ${filename}`);
	return version;
}

const commands: Commands = {
	async read(url) {
		return readWhole(await cache.open(url), url);
	},
	async readStored(url) {
		const version = await cache.openStored(keyOf(url));
		return version === undefined ? null : readWhole(version, url);
	},
	async open(url) {
		const version = await cache.open(url);
		opened.set(url, version);
		return version.sizeBytes;
	},
	async part(url, position, length) {
		const buffer = Buffer.alloc(length);
		const count = (await opened.get(url)?.read(buffer, position)) ?? 0;
		return buffer.toString('base64', 0, count);
	},
	leave(url) {
		opened.get(url)?.close();
		return Promise.resolve();
	},
	async store(url, version, length) {
		await cache.store(url, checkedMedia(url, version, length), {durable: false});
	},
	evict: url => cache.evict(keyOf(url)),
	stats: () => Promise.resolve(cache.stats()),
	churn: plan => new Churn(plan).run(),
	close: () => cache.close(),
};

/** Random operations; what they must never show is told as `wrong`. */
class Churn {
	readonly #newest = new Map<string, number>();
	#count = setup.firstCount;

	/** Each resolves with whether it has read something. */
	readonly #operations: ReadonlyArray<(own: string) => Promise<boolean>> = [
		() => this.#fetch(),
		() => this.#fetch(),
		() => this.#fetch(),
		() => this.#readStored(oneOf(this.plan.shared)),
		() => this.#readInOrder(oneOf(this.plan.others)),
		() => this.#readInOrder(oneOf(this.plan.others)),
		own => this.#readInOrder(own),
		own => this.#storeOwn(own),
		own => this.#storeOwn(own),
		() => this.#storeShared(),
		() => this.#evict(),
	];

	constructor(private readonly plan: Plan) {}

	async run(): Promise<Record<string, number>> {
		await Promise.all(this.plan.own.map(url => this.#loop(url)));
		return Object.fromEntries(this.#newest);
	}

	async #loop(own: string): Promise<void> {
		for (let count = 0; count < this.plan.operations; count++) {
			tell({is: 'operation', hasRead: await this.#attempt(own)});
		}
	}

	async #attempt(own: string): Promise<boolean> {
		try {
			return await oneOf(this.#operations)(own);
		} catch (error) {
			if (this.#isTolerated(error)) return false;
			tell({is: 'wrong', what: String(error)});
			return false;
		}
	}

	#isTolerated(error: unknown): boolean {
		if (!(error instanceof CacheError)) return false;
		return this.plan.tolerated.some(one => error.code === one || error.message.endsWith(one));
	}

	async #fetch(): Promise<boolean> {
		await commands.read(oneOf(this.plan.shared));
		return true;
	}

	async #readStored(url: string): Promise<boolean> {
		return (await commands.readStored(url)) !== null;
	}

	/** Who has seen a version never sees an older one. */
	async #readInOrder(url: string): Promise<boolean> {
		const newest = this.#newest.get(url) ?? 0;
		const version = await commands.readStored(url);
		if (version === null) return false;
		const count = Number(version.split('-')[1]);
		if (count < newest) tell({is: 'wrong', what: `${url} went back from version ${newest} to ${count}`});
		this.#note(url, count);
		return true;
	}

	async #storeOwn(url: string): Promise<boolean> {
		const count = await this.#store(url);
		this.#note(url, count);
		tell({is: 'stored', url, count});
		return false;
	}

	async #storeShared(): Promise<boolean> {
		await this.#store(oneOf(this.plan.shared));
		return false;
	}

	async #evict(): Promise<boolean> {
		await commands.evict(oneOf(this.plan.shared));
		return false;
	}

	/** No two versions have one length: within a tick of the file system's clock, that alone tells them apart. */
	async #store(url: string): Promise<number> {
		const count = ++this.#count;
		await commands.store(url, `p${setup.slot}-${count}`, oneOf(this.plan.lengths) + 4 * (count % 1000) + setup.slot);
		return count;
	}

	#note(url: string, count: number): void {
		this.#newest.set(url, Math.max(count, this.#newest.get(url) ?? 0));
	}
}

async function answer({id, name, args}: Request): Promise<void> {
	try {
		const command = commands[name].bind(commands) as (...given: readonly unknown[]) => Promise<unknown>;
		tell({is: 'answer', id, value: await command(...args)});
	} catch (error) {
		tell({is: 'refusal', id, reason: String(error)});
	}

	if (name !== 'close') return;
	process.off('disconnect', endWithParent);
	process.disconnect();
}

function endWithParent(): void {
	process.exit(1);
}

process.on('disconnect', endWithParent);
process.on('message', (request: Request) => void answer(request));
await cache.load();
tell({is: 'ready'});
