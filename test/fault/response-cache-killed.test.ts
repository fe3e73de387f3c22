import {readdirSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {CachedResponse, createCachedFetch, FileBackend, FileCache} from '../../src/ports/response-cache/index.js';
import {temporaryDirectory} from '../helpers/cache.js';
import {startOrigin} from '../helpers/drive.js';
import {generatedBody} from '../helpers/origin.js';
import {all} from '../helpers/response-cache.js';
import {startResponseProcess} from '../helpers/response-cache-process.js';
import {until} from '../helpers/until.js';

const KEYS = Array.from({length: 8}, (_, index) => `key-${index}`);
const ROUNDS = 4;

test('processes that write, read and remove in one directory and are killed leave whole values and nothing else', async t => {
	const directory = temporaryDirectory(t);
	const cache = new FileCache(directory);
	let found = 0;
	for (let round = 0; round < ROUNDS; round++) {
		const writers = [startResponseProcess(t), startResponseProcess(t), startResponseProcess(t)];
		await Promise.all(writers.map(writer => writer.tell('keepAtIt', directory, KEYS)));
		const check = async () => {
			for (const key of KEYS) {
				const value = await cache.read(key);
				const text = value instanceof CachedResponse ? await value.text() : value;
				if (typeof text !== 'string') continue;
				found++;
				const [of, size, body = ''] = text.split(' ');
				if (of !== key || body !== 'x'.repeat(Number(size))) t.fail(`torn: ${text.slice(0, 100)}`);
			}
		};
		const enough = found + 300;
		await until('much was read', async () => {
			await check();
			return found > enough;
		});
		await Promise.all(writers.map(writer => writer.kill()));
		await check();
		t.is((await all(cache.values())).length, await cache.size());
	}

	t.deepEqual(await all(cache.strangers()), []);
	new FileCache(directory);
	t.deepEqual(readdirSync(path.join(directory, 'incoming')), []);
});

test('processes that fetch into one directory and are killed leave whole bodies, and redirects that lead to them', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const sizes = [10, 5000, 300_000, 1_000_000];
	const urls = sizes.map(size => origin.serve(`/${size}`, {size}));
	const moved = sizes.map(size => origin.serve(`/moved/${size}`, {status: 301, redirect: `/${size}`}));
	for (let round = 0; round < ROUNDS; round++) {
		const readers = [startResponseProcess(t), startResponseProcess(t), startResponseProcess(t)];
		await Promise.all(readers.map(reader => reader.tell('keepFetching', directory, [...urls, ...moved])));
		const before = origin.requests.length;
		await until('they are at it', () => origin.requests.length > before + 40);
		await Promise.all(readers.map(reader => reader.kill()));
		const backend = new FileBackend(directory);
		const fetch = createCachedFetch({backend, freshness: 'forever'});
		for (const [index, url] of [...urls, ...moved].entries()) {
			const size = sizes[index % sizes.length] as number;
			t.true(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(generatedBody(size)), url);
		}

		t.deepEqual(readdirSync(path.join(directory, 'incoming')), []);
		backend.close();
	}
});
