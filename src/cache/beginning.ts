/** What a download begins with: what an earlier one has left, or nothing. */
import {CacheError, hasCode} from '../base/errors.js';
import type {Range} from '../base/range-set.js';
import type {Draft} from '../store/draft.js';
import type {Store} from '../store/store.js';
import type {Allowance} from './allowance.js';
import {Body} from './body.js';
import {Head} from './head.js';
import {MovedError} from './moved-error.js';
import {
	AnsweredSource,
	answered,
	RangesUnsupportedError,
	VersionChangedError,
	type Source,
	type SourceBody,
} from './source.js';
import type {Incoming} from './transfer.js';

export interface BeginningContext {
	readonly url: string;
	readonly key: string;
	readonly store: Store;
	readonly source: Source;
	readonly allowance: Allowance;
	readonly signal: AbortSignal;
	/** What it brings takes the place of an entry, and stays under its URL wherever that has moved to. */
	readonly isReplacing: boolean;
	/** Whether what has come is of use to who comes later. */
	isWanted(): boolean;
	/** It will be asked for once more. */
	readonly onRetry: () => void;
	/** Hears why what was left is of no use. */
	onUseless(reason: unknown): void;
}

export interface Begun {
	readonly body: Body;
	readonly draft: Draft;
	/** What the draft has from before. */
	readonly kept: readonly Range[];
	/** The first bytes, as far as they are there. */
	readonly head: Head;
	/** What comes first; undefined where all is there. */
	readonly first: {readonly range: Range; readonly incoming: Incoming} | undefined;
}

/** Goes on with what was left, if the source still has the same; else begins anew. */
export async function begin(context: BeginningContext): Promise<Begun> {
	return (await goOn(context)) ?? beginAnew(context);
}

async function goOn(context: BeginningContext): Promise<Begun | undefined> {
	const {source, store, allowance, signal} = context;
	const kept = source.fetchRange === undefined ? undefined : await store.resume(context.key);
	if (source.fetchRange === undefined || kept === undefined) return undefined;
	const {draft, facts, ranges} = kept;
	try {
		const [body, head] = [Body.resumed(facts), new Head()];
		await head.readFrom(draft.file, ranges);
		const begun = {body, draft, head, kept: [...ranges]};
		const [gap] = ranges.missing(0, facts.lengthBytes);
		if (gap === undefined && context.isReplacing) {
			// Nothing is left to be asked for, and so to confirm it, while the source has just said what it has now.
			await draft.discard();
			return undefined;
		}

		if (gap === undefined || body.version === undefined) return {...begun, first: undefined};
		// No more than will be read of it: what is on its way when a connection is ended comes twice.
		const range = {start: gap.start, end: Math.min(gap.end, allowance.goOnAt(gap.start))};
		const incoming = await answered(source.fetchRange(context.url, range, body.version, {signal}), signal);
		return {...begun, first: {range, incoming}};
	} catch (error) {
		if (isOfUse(error)) {
			if (context.isWanted()) await draft.keep();
			await draft.discard();
			throw error;
		}

		context.onUseless(error);
		await draft.discard();
		return undefined;
	}
}

async function beginAnew(context: BeginningContext): Promise<Begun> {
	const {key, source, store} = context;
	const incoming = await fetchWhole(context);
	try {
		const range = {start: 0, end: incoming.lengthBytes ?? Infinity};
		const begun = {body: Body.begun(incoming, source), draft: await store.draft(key), kept: []};
		return {...begun, head: new Head(), first: {range, incoming}};
	} catch (error) {
		incoming.discard();
		throw error;
	}
}

/** @throws MovedError, with the body, where it is to be stored under another URL. */
async function fetchWhole({url, source, signal, isReplacing, onRetry}: BeginningContext): Promise<SourceBody> {
	const transfer = new AbortController();
	const abort = () => transfer.abort(signal.reason);
	signal.addEventListener('abort', abort, {once: true});
	if (signal.aborted) abort();
	const incoming = await answered(source.fetch(url, transfer.signal, onRetry), signal);
	const {movedTo, ...body} = incoming;
	if (movedTo === undefined || movedTo.url === url || isReplacing) return body;
	signal.removeEventListener('abort', abort);
	const {filename, caching} = movedTo;
	throw new MovedError(url, movedTo, new AnsweredSource({...body, filename, caching}, source, transfer));
}

/** Whether what was left may be gone on with after such a failure. */
function isOfUse(error: unknown): boolean {
	return error instanceof CacheError && !isOfAnother(error);
}

/** Whether a failure means that what has come so far is of no use any more. */
export function isOfAnother(error: unknown): boolean {
	return error instanceof RangesUnsupportedError || error instanceof VersionChangedError || hasCode(error, 'not-found');
}
