/** What was begun and not finished, made by hand: bytes that tell where they belong. */
import {createHash} from 'node:crypto';
import path from 'node:path';
import type {Range} from '../../src/base/range-set.js';
import type {Draft} from '../../src/store/draft.js';
import {keyOf} from '../../src/store/key.js';
import type {OpenFile} from '../../src/store/open-file.js';
import type {PartialFacts} from '../../src/store/partial-facts.js';
import type {Store} from '../../src/store/store.js';

export function factsOf(url: string, lengthBytes: number): PartialFacts {
	return {
		...{url, sourceUrl: `${url}?redirected`, lengthBytes, etag: '"v1"', lastModifiedMs: 1_700_000_000_000},
		...{mimetype: 'video/mp4', filename: 'a.mp4', modifiedAtMs: 1_700_000_000_000, http: undefined},
	};
}

/** The bytes that a URL has there: no two places within 8 KiB look the same. */
export function bytesAt(url: string, {start, end}: Range): Buffer {
	const seed = createHash('sha256').update(url).digest();
	const bytes = Buffer.allocUnsafe(end - start);
	for (let at = start; at < end; at++) bytes[at - start] = (seed[at & 31] ?? 0) ^ (at >> 5);
	return bytes;
}

/** Begins to bring a URL, up to having these bytes of it. */
export async function begin(store: Store, url: string, lengthBytes: number, ranges: readonly Range[]): Promise<Draft> {
	const draft = await store.draft(keyOf(url));
	draft.expect(lengthBytes);
	draft.beginTelling(factsOf(url, lengthBytes));
	await bring(draft, url, ranges);
	return draft;
}

export async function bring(draft: Draft, url: string, ranges: Iterable<Range>): Promise<void> {
	for (const range of ranges) {
		await draft.write([bytesAt(url, range)], range.start);
		draft.tell(range);
	}
}

/** Takes what is kept, brings some more and keeps it, without an end. */
export async function keepGoingOn(store: Store, url: string, lengthBytes: number): Promise<never> {
	for (let round = 0; ; round++) {
		const taken = await store.resume(keyOf(url));
		const draft = taken?.draft ?? (await begin(store, url, lengthBytes, [{start: 0, end: 1}]));
		const start = (round * 7919) % (lengthBytes - 100);
		await bring(draft, url, [{start, end: start + 100}]);
		if (!(await draft.keep())) throw new Error('it was not kept');
		draft.close();
	}
}

/** Whether a file has the bytes of a URL there. */
export async function hasBytes(file: OpenFile, url: string, ranges: Iterable<Range>): Promise<boolean> {
	for (const range of ranges) {
		const read = Buffer.alloc(range.end - range.start);
		const count = await file.read(read, range.start);
		if (count < read.byteLength || !read.equals(bytesAt(url, range))) return false;
	}

	return true;
}

/** Where what is kept of a URL lies. */
export function keptFile(directory: string, url: string): string {
	return path.join(directory, '.larder', 'partials', keyOf(url));
}
