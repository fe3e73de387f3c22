import test from 'ava';
import {mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {NO_LOG, type Fields} from '../../../src/base/log.js';
import {FfmpegFinder, type FindOptions} from '../../../src/media/find-ffmpeg.js';
import {FFMPEG, fakeFfmpeg, hang, hasEnded, pidsIn, scratch, testWithFfmpeg} from '../../helpers/ffmpeg.js';

const NOWHERE = '/nonexistent/module.js';

function find(options: Partial<FindOptions>): Promise<string> {
	return new FfmpegFinder({
		configuredPath: undefined,
		searchPath: '',
		log: NO_LOG,
		packageFrom: NOWHERE,
		...options,
	}).find();
}

/** A folder with a fake `ffmpeg` that can be probed. */
function folderWith(parent: string, name: string, body = '', answers?: string): string {
	const folder = path.join(parent, name);
	mkdirSync(folder);
	fakeFfmpeg(folder, body, answers);
	return folder;
}

/** A module beside which npm has put an ffmpeg-static whose binary is `binary`. */
function moduleWithPackage(parent: string, binary: string | null): string {
	const folder = path.join(parent, 'node_modules', 'ffmpeg-static');
	mkdirSync(folder, {recursive: true});
	writeFileSync(path.join(folder, 'index.js'), `module.exports = ${JSON.stringify(binary)};`);
	return path.join(parent, 'module.js');
}

testWithFfmpeg('the configured ffmpeg comes before all others', async t => {
	const directory = scratch(t);
	const packageFrom = moduleWithPackage(directory, path.join(folderWith(directory, 'static'), 'ffmpeg'));
	t.is(await find({configuredPath: FFMPEG, packageFrom, searchPath: folderWith(directory, 'bin')}), FFMPEG);
});

testWithFfmpeg('ffmpeg-static, where npm installed it, comes before the one on the search path', async t => {
	const directory = scratch(t);
	const binary = path.join(directory, 'its-ffmpeg');
	symlinkSync(FFMPEG, binary);
	t.is(
		await find({packageFrom: moduleWithPackage(directory, binary), searchPath: folderWith(directory, 'bin')}),
		binary,
	);
});

testWithFfmpeg('without ffmpeg-static it is the one on the search path', async t => {
	t.is(await find({searchPath: `/nonexistent:${path.dirname(FFMPEG)}`}), FFMPEG);
});

test('an ffmpeg-static without a binary, for this platform or on the disk, is passed over', async t => {
	const directory = scratch(t);
	const searchPath = folderWith(directory, 'bin');
	for (const binary of [null, path.join(directory, 'never-downloaded')]) {
		t.is(await find({packageFrom: moduleWithPackage(directory, binary), searchPath}), path.join(searchPath, 'ffmpeg'));
	}
});

test('a configured path that is wrong is passed over, and the log says so', async t => {
	const searchPath = folderWith(scratch(t), 'bin');
	const lines: [string, Fields | undefined][] = [];
	const log = {...NO_LOG, warn: (message: string, fields?: Fields) => lines.push([message, fields])};
	t.is(await find({configuredPath: '/nonexistent/ffmpeg', searchPath, log}), path.join(searchPath, 'ffmpeg'));
	t.is(lines.length, 1);
	t.deepEqual(lines[0]?.[1]?.['reason'], '/nonexistent/ffmpeg is not there');
});

test('without any ffmpeg the error lists what was tried and why each did not work', async t => {
	const directory = scratch(t);
	await t.throwsAsync(find({configuredPath: '/nonexistent/ffmpeg', searchPath: directory}), {
		message:
			'no ffmpeg that works was found (configured: /nonexistent/ffmpeg is not there; ' +
			`ffmpeg-static: not installed; PATH: no ffmpeg in "${directory}")`,
	});
});

test('a search path that is empty or relative finds nothing', async t => {
	for (const searchPath of ['', 'bin', '.:bin:'])
		await t.throwsAsync(find({searchPath}), {message: /PATH: no ffmpeg in/});
});

test('a folder and a file that may not be executed are not taken for an ffmpeg', async t => {
	const directory = scratch(t);
	mkdirSync(path.join(directory, 'folder', 'ffmpeg'), {recursive: true});
	mkdirSync(path.join(directory, 'text'));
	writeFileSync(path.join(directory, 'text', 'ffmpeg'), '#!/bin/sh\n', {mode: 0o644});
	const searchPath = ['folder', 'text'].map(name => path.join(directory, name)).join(':');
	await t.throwsAsync(find({searchPath}), {message: /PATH: no ffmpeg in/});
});

const UNUSABLE = {
	'exits with 1 and noise': ['echo noise; printf "\\033[31mmore\\n" >&2; exit 1', /exited with code 1 .*noise/],
	'dies by a signal': ['kill -SEGV $$', /died of SIGSEGV/],
	'answers something else': ['echo hello', /is no ffmpeg/],
	'has no libx264': ['echo "ffmpeg version 9.9"; echo "configuration: --enable-gpl"', /9\.9 was built without libx264/],
	'prints without end': [
		'while :; do echo noise noise noise noise noise noise noise noise; done',
		/printed more than 64KB/,
	],
} as const;

for (const [what, [answers, message]] of Object.entries(UNUSABLE)) {
	test(`a binary that ${what} is passed over for the next on the search path`, async t => {
		const directory = scratch(t);
		const [bad, good] = [folderWith(directory, 'bad', '', answers), folderWith(directory, 'good')];
		t.is(await find({searchPath: `${bad}:${good}`}), path.join(good, 'ffmpeg'));
		await t.throwsAsync(find({searchPath: bad}), {message});
	});
}

test('a binary that hangs when it is probed is killed with its children and passed over', async t => {
	const directory = scratch(t);
	const [pids, good] = [path.join(directory, 'pids'), folderWith(directory, 'good')];
	const bad = folderWith(directory, 'bad', '', `last=/dev/null; ${hang(pids)}`);
	t.is(await find({searchPath: `${bad}:${good}`, probeTimeoutMs: 300}), path.join(good, 'ffmpeg'));
	const [script = 0, child = 0] = await pidsIn(pids);
	t.true(hasEnded(script));
	t.true(hasEnded(child));
});

test('a binary is probed once for as long as it is the same file', async t => {
	const directory = scratch(t);
	const count = path.join(directory, 'count');
	const folder = folderWith(directory, 'bin', '', `echo x >> '${count}'; echo ffmpeg version 1 --enable-libx264`);
	const finder = new FfmpegFinder({configuredPath: undefined, searchPath: folder, log: NO_LOG, packageFrom: NOWHERE});
	await Promise.all([finder.find(), finder.find(), finder.find()]);
	await finder.find();
	t.is(linesIn(count), 1);

	fakeFfmpeg(folder, '', `echo x >> '${count}'; echo ffmpeg version 22 --enable-libx264`);
	await finder.find();
	t.is(linesIn(count), 2);
});

test('an ffmpeg that vanished gives way to the next, and is found again when it is back', async t => {
	const directory = scratch(t);
	const [first, second] = [folderWith(directory, 'first'), folderWith(directory, 'second')];
	const searchPath = `${first}:${second}`;
	const finder = new FfmpegFinder({configuredPath: undefined, searchPath, log: NO_LOG, packageFrom: NOWHERE});
	t.is(await finder.find(), path.join(first, 'ffmpeg'));

	rmSync(path.join(first, 'ffmpeg'));
	t.is(await finder.find(), path.join(second, 'ffmpeg'));

	rmSync(path.join(second, 'ffmpeg'));
	await t.throwsAsync(finder.find(), {message: /no ffmpeg in/});

	fakeFfmpeg(first, '');
	t.is(await finder.find(), path.join(first, 'ffmpeg'));
});

function linesIn(file: string): number {
	return readFileSync(file, 'utf8').trim().split('\n').length;
}
