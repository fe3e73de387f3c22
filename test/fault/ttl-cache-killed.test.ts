import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {cachePath, MISSING, readCache, refreshCache, writeCache} from '../../src/ports/ttl-cache/index.js';
import {temporaryDirectory} from '../helpers/cache.js';
import {startTtlProcess} from '../helpers/ttl-cache-process.js';

const KEYS = Array.from({length: 8}, (_, index) => `key ${index}`);
const ROUNDS = 6;

interface Body {
	readonly key: string;
	readonly length: number;
	readonly text: string;
}

test('processes that write, refresh and sweep one directory and are killed leave whole entries and nothing else', async t => {
	const base = temporaryDirectory(t);
	let found = 0;
	for (let round = 0; round < ROUNDS; round++) {
		const writers = [startTtlProcess(t), startTtlProcess(t), startTtlProcess(t)];
		await Promise.all(writers.map(writer => writer.tell('keepAtIt', base, KEYS)));
		for (let count = 0; count < 3000; count++) {
			const key = KEYS[count % KEYS.length] as string;
			const body = readCache(base, key, 60);
			if (body === MISSING) continue;
			found++;
			const {key: of, length, text} = body as unknown as Body;
			if (of !== key || text !== 'x'.repeat(length)) t.fail(`torn: ${JSON.stringify(body).slice(0, 200)}`);
		}

		await Promise.all(writers.map(writer => writer.kill()));
		for (const name of readdirSync(path.join(base, 'default'))) {
			const text = readFileSync(path.join(base, 'default', name), 'utf8');
			t.notThrows(() => JSON.parse(text) as unknown, name);
		}
	}

	t.true(found > 100, `${found} bodies read`);
	await startTtlProcess(t).tell('write', base, 'last', 1);
	t.deepEqual(readdirSync(path.join(base, '.larder/incoming')), []);
	t.is(await refreshCache(base, 'last', 60, () => Promise.reject(new Error('it is there'))), 1);
	t.true(readdirSync(path.dirname(cachePath(base, 'x'))).every(name => /^[0-9a-f]{64}$/.test(name)));
	writeCache(base, 'x', 1);
});
