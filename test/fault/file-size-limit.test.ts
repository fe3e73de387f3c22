import {writeFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {entryFiles, leftovers, openMediaCache, temporaryDirectory} from '../helpers/cache.js';
import {sh} from '../helpers/run.js';

const LIBRARY = new URL('../../src/index.js', import.meta.url).href;

test('M17: a download beyond the limit on the size of files is returned all the same, evicts nothing and leaves nothing behind', async t => {
	const directory = temporaryDirectory(t);
	const before = openMediaCache(t, directory);
	await before.put('https://a.example/small', Buffer.from('small'), 'text/plain', 'a.txt');
	await before.close();
	const program = path.join(temporaryDirectory(t), 'program.mjs');
	writeFileSync(
		program,
		`
			import {MediaCache} from ${JSON.stringify(LIBRARY)};
			const cache = new MediaCache(${JSON.stringify(directory)}, {maxSizeMb: 16});
			await cache.ensureLoaded();
			const media = {data: Buffer.alloc(2 * 1024 * 1024), mimetype: 'video/mp4', filename: 'a.mp4'};
			const {data} = await cache.getOrDownload('https://a.example/large', () => Promise.resolve(media));
			const refused = await cache.put('https://a.example/put', media.data, 'video/mp4', 'a.mp4').catch(error => error.code);
			const {entries, evicted} = cache.stats();
			await cache.close();
			console.log(JSON.stringify({bytes: data.byteLength, refused, entries, evicted}));
		`,
	);
	const {stdout, stderr} = await sh('ulimit -f 1024 && exec "$@"', process.execPath, program);
	t.is(stderr, '');
	t.deepEqual(JSON.parse(stdout), {bytes: 2 * 1024 * 1024, refused: 'too-large', entries: 1, evicted: 0});
	t.is(entryFiles(directory).length, 2);
	t.deepEqual(leftovers(directory), []);
});
