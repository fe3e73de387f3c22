/** What is stale, and of which what its origin says cannot be noted. */
import test from 'ava';
import {keyOf} from '../../src/library/open.js';
import {failsWith} from '../helpers/cache.js';
import {openFreshCache} from '../helpers/fresh-cache.js';
import {basePath} from '../helpers/original.js';
import {IS_ROOT, nailDown, NOT_ROOT} from '../helpers/root.js';
import {until} from '../helpers/until.js';

const MINUTE = 60_000;
const asRoot = IS_ROOT ? test : test.skip;
const why = IS_ROOT ? '' : ` ${NOT_ROOT}`;

asRoot(`what its origin has no more, and cannot be removed, stays and fails nothing else${why}`, async t => {
	const {cache, origin, clock, directory, lines, read} = await openFreshCache(t);
	const headers = {'cache-control': 'max-age=60, stale-while-revalidate=60'};
	const url = origin.serve('/a', {body: 'one', headers, etag: '"v1"'});
	await read(url);
	nailDown(t, `${basePath(directory, url)}.dat`);
	origin.serve('/a', {status: 404});
	clock.advance(MINUTE);
	// Nobody waits for what comes of this: a rejection would end the process.
	t.is(await read(url), 'one');
	await until('it was not removed', () => lines.some(line => line.includes('EBUSY')));
	clock.advance(MINUTE);
	await failsWith(t, 'not-found', read(url));
	t.truthy(cache.entry(keyOf(url)));
});

asRoot(`what has not changed is read where that cannot be noted, as on a full disk${why}`, async t => {
	const {origin, clock, directory, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', headers: {'cache-control': 'no-cache'}, etag: '"v1"'});
	await read(url);
	nailDown(t, `${basePath(directory, url)}.json`);
	clock.advance(MINUTE);
	t.deepEqual([await read(url), await read(url)], ['one', 'one']);
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"', 'GET "v1"']);
});
