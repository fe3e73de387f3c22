/** Readers anywhere in a body that comes well or badly: the model is the body itself. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {openCache, type UrlCache} from '../../src/library/open.js';
import {CacheError} from '../../src/base/errors.js';
import {FILL_MODES} from '../../src/cache/fill-mode.js';
import {assertAlways} from '../helpers/always.js';
import {entryFiles, leftovers} from '../helpers/cache.js';
import {startOrigin} from '../helpers/drive.js';
import {generatedBody, type Behaviour} from '../helpers/origin.js';
import {until} from '../helpers/until.js';

const RUN_MS = 8000;
const SIZE = 5 * 1024 * 1024 + 4321;

const VERSIONS = ['one', 'two'] as const;
/** Of the second version each byte is another one. */
const BODIES = {one: generatedBody(SIZE), two: Buffer.from(generatedBody(SIZE).map(byte => byte ^ 0xff))};

/** What one request meets; the origin behaves for all that come after the last. */
const meeting = fc.record({
	/** Bytes after which the connection breaks. */
	cutAt: fc.option(fc.integer({min: 0, max: SIZE >> 1}), {freq: 2}),
	/** Milliseconds before the answer. */
	delayMs: fc.constantFrom(0, 0, 5, 30),
	rate: fc.constantFrom(undefined, undefined, 20_000_000),
});
const ranges = fc.constantFrom('given', 'given', 'given', 'ignored', 'refused');
const read = fc.record({position: fc.integer({min: 0, max: SIZE + 10}), length: fc.integer({min: 1, max: 400_000})});
/** Larger than the budget, or not. */
const maxBytes = fc.constantFrom(Infinity, Infinity, 3_000_000);
const fill = fc.constantFrom(...FILL_MODES);
const reader = fc.record({reads: fc.array(read, {minLength: 1, maxLength: 8}), inOrder: fc.boolean()});

interface Reading {
	readonly right: number;
	readonly wrong: string[];
	readonly errors: unknown[];
}

/** Reads as told, and tells what came of it: all of it must be of one version. */
async function readAll(
	cache: UrlCache,
	url: string,
	{reads, inOrder}: {reads: Array<{position: number; length: number}>; inOrder: boolean},
): Promise<Reading> {
	const reading = {right: 0, wrong: [] as string[], errors: [] as unknown[]};
	const possible = new Set<(typeof VERSIONS)[number]>(VERSIONS);
	const version = await cache.open(url);
	const one = async ({position, length}: {position: number; length: number}) => {
		const buffer = Buffer.alloc(length, '?');
		const count = await version.read(buffer, position);
		const got = buffer.subarray(0, count);
		for (const name of [...possible])
			if (!got.equals(BODIES[name].subarray(position, position + length))) possible.delete(name);
		if (possible.size > 0) reading.right++;
		else reading.wrong.push(`[${position}, ${position + length}) brought ${count} bytes`);
	};
	try {
		const failed = (error: unknown) => void reading.errors.push(error);
		if (inOrder) for (const each of reads) await one(each).catch(failed);
		else await Promise.all(reads.map(each => one(each).catch(failed)));
	} finally {
		version.close();
	}

	return reading;
}

/** What readers meet before the cache is closed, and opened again for the next. */
const phase = fc.array(reader, {minLength: 1, maxLength: 4});

test('whatever comes of a body, readers anywhere get its bytes or an error, never others and never two versions', async t => {
	const origin = await startOrigin(t);
	let count = 0;
	const given = fc.record({
		meetings: fc.array(meeting, {maxLength: 5}),
		how: ranges,
		changesAfter: fc.option(fc.integer({min: 1, max: 4}), {freq: 3}),
		phases: fc.array(phase, {minLength: 1, maxLength: 3}),
		maxBytes,
		fill,
	});
	await assertAlways(t, RUN_MS, given, async ({meetings, how, changesAfter, phases, maxBytes, fill}) => {
		const behaviour = (index: number): Behaviour => {
			const name = changesAfter !== null && index >= changesAfter ? 'two' : 'one';
			const base: Behaviour = {body: BODIES[name], etag: `"${name}"`};
			if (how === 'given') return {...base, ranges: true};
			return how === 'ignored' ? base : {...base, headers: {'accept-ranges': 'none'}};
		};
		const sequence = Array.from({length: Math.max(meetings.length, changesAfter ?? 0)}, (_, index): Behaviour => {
			const {cutAt = null, delayMs = 0, rate} = meetings[index] ?? {};
			return {...behaviour(index), delayMs, ...(cutAt !== null && {cutAt}), ...(rate !== undefined && {rate})};
		});
		const url = origin.serve(`/${++count}`, {...behaviour(Infinity), sequence});
		const directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
		const open = () => openCache({directory, fill, http: {retries: 0}, limits: {maxBytes}});
		let cache = open();
		// What cannot be read through is refused.
		const mayFail =
			changesAfter !== null || meetings.some(({cutAt}) => cutAt !== null) || (maxBytes < SIZE && how !== 'given');
		try {
			for (const [index, readers] of phases.entries()) {
				if (index > 0) {
					await cache.close();
					cache = open();
				}

				const outcomes = await Promise.allSettled(readers.map(one => readAll(cache, url, one)));
				for (const outcome of outcomes) {
					const errors: unknown[] = outcome.status === 'rejected' ? [outcome.reason] : outcome.value.errors;
					if (outcome.status === 'fulfilled' && outcome.value.wrong.length > 0)
						throw new Error(outcome.value.wrong.join('; '));
					for (const error of errors) if (!(error instanceof CacheError)) throw error;
					if (errors.length > 0 && !mayFail) throw errors[0];
				}
			}

			if (!mayFail && maxBytes > SIZE && fill !== 'ranges') {
				await until('it is stored', () => entryFiles(directory).length === 2, 20_000);
			}

			const all = {reads: [{position: 0, length: SIZE}], inOrder: true};
			const stored = await readAll(cache, url, all).catch((error: unknown) => {
				if (!mayFail) throw error;
			});
			if ((stored?.wrong.length ?? 0) > 0) throw new Error('what was stored is a mixture');
			if ((stored?.errors.length ?? 0) > 0 && !mayFail) throw stored?.errors[0];
		} finally {
			await cache.close();
			const left = leftovers(directory);
			rmSync(directory, {recursive: true, force: true, maxRetries: 5});
			t.deepEqual(left, []);
		}
	});
});
