/** A directory that this user may not write to, or not read. The tests are one process, so one after another. */
import {chmodSync, chownSync, mkdirSync, statSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {NO_LOG} from '../../src/base/log.js';
import {Store} from '../../src/store/store.js';
import {entryFiles, get, openMediaCache, openStore, put, temporaryDirectory, TestClock} from '../helpers/cache.js';
import {putLikeOriginal} from '../helpers/original.js';
import {IS_ROOT, NOT_ROOT} from '../helpers/root.js';

const [A, B] = ['https://a.example/a', 'https://a.example/b'] as const;
const NOBODY = 65_534;
const check = IS_ROOT ? test.serial : test.serial.skip;
const suffix = IS_ROOT ? '' : ` ${NOT_ROOT}`;

/** Runs `work` as a user who is not root. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
	process.seteuid?.(NOBODY);
	try {
		return await work();
	} finally {
		process.seteuid?.(0);
	}
}

/** A store's directory of nobody's, with one entry, in one that nobody may enter. */
function directoryOfNobody(t: ExecutionContext): string {
	const base = temporaryDirectory(t);
	chmodSync(base, 0o755);
	const directory = path.join(base, 'cache');
	for (const folder of [
		directory,
		`${directory}/.larder`,
		`${directory}/.larder/downloads`,
		`${directory}/.larder/quarantine`,
	]) {
		mkdirSync(folder);
		chownSync(folder, NOBODY, NOBODY);
	}

	return directory;
}

check(`a directory that cannot be made is refused at construction, with its name and the reason${suffix}`, async t => {
	const base = temporaryDirectory(t);
	chmodSync(base, 0o755);
	const options = {directory: path.join(base, 'cache'), clock: new TestClock(), log: NO_LOG};
	await asNobody(async () => {
		t.throws(() => new Store(options), {
			code: 'not-permitted',
			message: /cannot be a cache directory: .*EACCES/,
		});
		await Promise.resolve();
	});
});

check(`what is stored is read from a directory that cannot be written to, and a put is an error${suffix}`, async t => {
	const directory = directoryOfNobody(t);
	putLikeOriginal(directory, A, 'stored');
	chmodSync(directory, 0o555);
	await asNobody(async () => {
		const store = openStore(t, {directory});
		await store.load();
		t.is(await get(store, A), 'stored');
		await t.throwsAsync(put(store, B, 'b'), {code: 'EACCES'});
		t.is(store.usedBytes, store.totals.allocatedBytes);
		await store.setLimits({maxBytes: 0});
		t.is(store.totals.entries, 1, 'what cannot be removed stays counted');
		await store.close();
	});
});

check(`an entry of another user that may not be read is a miss${suffix}`, async t => {
	const directory = directoryOfNobody(t);
	putLikeOriginal(directory, A, 'private');
	for (const file of entryFiles(directory)) chmodSync(path.join(directory, file), 0o600);
	await asNobody(async () => {
		const store = openStore(t, {directory});
		await store.load();
		t.is(await get(store, A), undefined);
		t.is(store.totals.entries, 0);
		await store.close();
	});
});

check(`a directory that another user has used is refused with a word of what to do${suffix}`, async t => {
	const directory = directoryOfNobody(t);
	const cache = openMediaCache(t, directory);
	await cache.put(A, Buffer.from('private'), 'text/plain', 'a.txt');
	await cache.close();
	await asNobody(async () => {
		const options = {directory, clock: new TestClock(), log: NO_LOG};
		t.throws(() => new Store(options), {code: 'not-permitted', message: /EACCES.*chown -R USER/});
		await Promise.resolve();
	});
});

check(`files and directories are for their owner alone${suffix}`, async t => {
	const directory = path.join(temporaryDirectory(t), 'cache');
	const store = openStore(t, {directory});
	await put(store, A, 'a');
	const [file] = [...store.entries()].map(({key}) => path.join(directory, `${key}.dat`));
	const modes = [directory, `${directory}/.larder`, `${directory}/.larder/downloads`, file ?? ''];
	t.deepEqual(
		modes.map(name => statSync(name).mode & 0o777),
		[0o700, 0o700, 0o700, 0o600],
	);
});
