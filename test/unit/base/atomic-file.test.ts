import {mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {
	createExclusive,
	isOwnSuffix,
	syncDirectory,
	uniqueSuffix,
	writeAtomically,
} from '../../../src/base/atomic-file.js';
import {temporaryDirectory} from '../../helpers/cache.js';

test('a file is replaced whole, private to its owner, and nothing else is left', async t => {
	const directory = temporaryDirectory(t);
	const target = path.join(directory, 'x.json');
	for (const [data, durable] of [
		['old', false],
		['new', true],
	] as const) {
		await writeAtomically(target, data, {scratch: directory, durable});
		t.is(readFileSync(target, 'utf8'), data);
	}

	t.is(statSync(target).mode & 0o777, 0o600);
	t.deepEqual(readdirSync(directory), ['x.json']);
	await syncDirectory(directory);
});

test('a link in the place of the target is replaced, not followed', async t => {
	const directory = temporaryDirectory(t);
	writeFileSync(path.join(directory, 'victim'), 'as it was');
	symlinkSync('victim', path.join(directory, 'x'));
	await writeAtomically(path.join(directory, 'x'), 'new', {scratch: directory, durable: false});
	t.is(readFileSync(path.join(directory, 'victim'), 'utf8'), 'as it was');
	t.is(readFileSync(path.join(directory, 'x'), 'utf8'), 'new');
});

test('a write that cannot be published leaves nothing behind', async t => {
	const directory = temporaryDirectory(t);
	mkdirSync(path.join(directory, 'x', 'full'), {recursive: true});
	await t.throwsAsync(writeAtomically(path.join(directory, 'x'), 'data', {scratch: directory, durable: false}));
	t.deepEqual(readdirSync(directory), ['x']);
});

test('what must not exist is not created over a file or through a link', async t => {
	const directory = temporaryDirectory(t);
	writeFileSync(path.join(directory, 'x'), '');
	symlinkSync('nowhere', path.join(directory, 'link'));
	for (const name of ['x', 'link']) await t.throwsAsync(createExclusive(path.join(directory, name)), {code: 'EEXIST'});
});

test('suffixes are told apart from each other, and from those of other processes', t => {
	const suffixes = new Set(Array.from({length: 1000}, uniqueSuffix));
	t.is(suffixes.size, 1000);
	for (const suffix of suffixes) t.regex(suffix, /^[0-9a-f]{24}$/);
	t.true(isOwnSuffix(uniqueSuffix()));
	t.false(isOwnSuffix('0123456789ab0123456789ab'));
});
