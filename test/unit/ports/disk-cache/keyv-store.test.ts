import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import test from 'ava';
import Keyv, {type KeyvStoreAdapter} from 'keyv';
import {Cache, KeyvStore} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory, TestClock} from '../../../helpers/cache.js';
import {openDiskCache} from '../../../helpers/disk-cache.js';
import {testLikeKeyv} from '../../../helpers/keyv-suite.js';

const directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
const shared = new Cache(directory);
test.after.always(() => {
	shared.close();
	rmSync(directory, {recursive: true});
});

const count = testLikeKeyv(test, () => new KeyvStore(shared));

test.serial('keyv/suite: all of Keyv’s own tests are run', t => {
	t.true(count >= 40, String(count));
});

test('keyv/types: the store is one of Keyv’s', t => {
	const adapter: KeyvStoreAdapter = new KeyvStore(openDiskCache(t));
	t.is(typeof adapter.get, 'function');
});

test('keyv/ttl: an item that has expired is not in the store any more', async t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	const keyv = new Keyv({store: new KeyvStore(cache)});
	await keyv.set('k', {a: 1}, 1000);
	t.deepEqual(await keyv.get('k'), {a: 1});
	t.true(cache.has('keyv:k'));
	clock.advance(1001);
	t.false(cache.has('keyv:k'));
	t.false(await keyv.has('k'));
});

test('keyv/own: a store opens a cache of its own, which is closed with it and kept', async t => {
	const own = temporaryDirectory(t);
	const keyv = new Keyv({store: new KeyvStore({directory: own})});
	await keyv.setMany([
		{key: 'a', value: 1},
		{key: 'b', value: 2, ttl: 60_000},
	]);
	await keyv.disconnect();
	const again = new Keyv({store: new KeyvStore({directory: own})});
	t.deepEqual(await again.get(['a', 'b', 'c']), [1, 2, undefined]);
	t.deepEqual(await again.hasMany(['a', 'c']), [true, false]);
	t.true(await again.delete(['a', 'b']));
	await again.disconnect();
});
