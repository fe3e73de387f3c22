/** Which transport is used where one of them is not there. */
import test from 'ava';
import path from 'node:path';
import {mkdir} from 'node:fs/promises';
import {put, reading, workDirectory} from '../helpers/drive.js';
import {Mount} from '../helpers/mount.js';
import {packageWithout} from '../helpers/package-without.js';
import {run} from '../helpers/run.js';

interface Line {
	readonly level: string;
	readonly msg: string;
	readonly reason?: string;
	readonly transport?: string;
}

function linesOf(mount: Mount): Line[] {
	return mount.logLines.map(line => JSON.parse(line) as Line);
}

const NO_KOFFI = /^koffi does not load \(.+\): install it with: npm install koffi$/;
const NO_BINDING = /^fuse-native is not installed: npm install fuse-native, or use --transport kernel$/;

/** No transport in the environment, which would count as asked for. */
const DEFAULT = {LARDER_TRANSPORT: ''};

const rows = [
	{said: 'kernel', env: {LARDER_TRANSPORT: 'kernel'}, without: ['koffi'], used: 'fuse-native', reason: NO_KOFFI},
	{said: 'auto', env: {LARDER_TRANSPORT: 'auto'}, without: ['koffi'], used: 'fuse-native', reason: NO_KOFFI},
	{said: 'auto', env: {LARDER_TRANSPORT: 'auto'}, without: ['@koromix'], used: 'fuse-native', reason: NO_KOFFI},
	{said: 'auto', env: {LARDER_TRANSPORT: 'auto'}, without: ['fuse-native'], used: 'kernel', reason: undefined},
	{said: 'nothing', env: DEFAULT, without: ['fuse-native'], used: 'kernel', reason: NO_BINDING},
	{said: 'nothing', env: DEFAULT, without: ['koffi'], used: 'fuse-native', reason: undefined},
] as const;

for (const {said, env, without, used, reason} of rows) {
	const lines = reason === undefined ? 'no warning' : 'one line that says why';
	test(`where ${without.join()} is not installed and ${said} is asked for, ${used} is used, with ${lines}`, async t => {
		const program = await packageWithout(t, without, without[0] === '@koromix' ? ['koffi'] : []);
		const mount = await Mount.start(t, {program, env});
		t.is(linesOf(mount).find(({msg}) => msg === 'mounted')?.transport, used);
		const warnings = linesOf(mount).filter(({level}) => level === 'warn');
		t.is(warnings.length, reason === undefined ? 0 : 1, mount.log);
		if (reason !== undefined) t.regex(warnings[0]?.reason ?? '', reason);
		const url = 'http://a.example/x';
		t.is((await put(mount, url, 'by hand')).code, 0);
		t.is(await reading(mount.path(url)), 'read 7 bytes');
		t.is(await mount.stop(), 0);
	});
}

test('where fuse-native is asked for and not installed, one sentence says what to do', async t => {
	const program = await packageWithout(t, ['fuse-native']);
	const base = await workDirectory(t);
	const directory = path.join(base, 'mnt');
	await mkdir(directory);
	const args = ['mount', directory, '--cache-dir', path.join(base, 'cache'), '--transport', 'fuse-native'];
	const {code, stderr} = await run(process.execPath, [program, ...args], {env: {XDG_CONFIG_HOME: base}});
	t.is(code, 1);
	const reason = 'fuse-native is not installed: npm install fuse-native, or use --transport kernel';
	t.is(stderr, `larder: the drive could not be mounted at ${directory}: ${reason}\n`);
});
