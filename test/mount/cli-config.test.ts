import test from 'ava';
import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import {fetchAll, listed, startDrive, workDirectory} from '../helpers/drive.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('max-size and log-level of a changed configuration file hold at once; a broken file changes nothing', async t => {
	const file = path.join(await workDirectory(t), 'larder.yaml');
	await writeFile(file, 'max-size: 50MB\n');
	const {mount, origin} = await startDrive(t, {flags: ['--config', file]});
	const limit = async () => (await mount.stats())['max_mb'];
	t.is(await limit(), 50);
	const urls = [1, 2, 3].map(index => origin.serve(`/${index}`, {size: 500_000}));
	await fetchAll(mount, ...urls);

	await writeFile(file, 'max-size: 1MB\nlog-level: debug\nretries: 7\n');
	await until('the new budget holds', async () => (await limit()) === 1);
	await until('what is over it has left', async () => (await listed(mount)).length === 2);
	await until('it is said what waits', () => /"afterRestart":\["retries"\]/.test(mount.log));
	await until('the level holds', async () => {
		await run('stat', [path.join(mount.directory, 'by-url', 'no-url')]);
		return mount.logLines.some(line => line.includes('"level":"debug"'));
	});

	for (const broken of ['max-size: [', 'max-size: big\n', 'max-sise: 9MB\n']) {
		const before = mount.logLines.length;
		await writeFile(file, broken);
		await until('it is said once', () => complaints(mount.logLines.slice(before)) === 1);
		t.is(await limit(), 1);
	}

	await writeFile(file, 'max-size: 20MB\n');
	await until('a good file holds again', async () => (await limit()) === 20);
	await writeFile(file, 'max-size: 50MB\n');
	await until('and so does what the drive was mounted with', async () => (await limit()) === 50);
	t.is(complaints(mount.logLines), 3);
	t.is(await mount.stop(), 0);
});

test('bwlimit of a changed configuration file holds at once, and so does its end', async t => {
	const file = path.join(await workDirectory(t), 'larder.yaml');
	await writeFile(file, 'bwlimit: 5MB/s\n');
	const {mount} = await startDrive(t, {flags: ['--config', file]});
	const read = () => mount.logLines.filter(line => line.includes('"msg":"configuration read again"'));
	for (const [index, bwlimit] of ['2MB/s', 'none', '5MB/s'].entries()) {
		await writeFile(file, `bwlimit: ${bwlimit}\n`);
		await until('it is read again', () => read().length > index);
		t.true(read().at(-1)?.includes(`"bwlimit":"${bwlimit}"`), mount.log);
	}

	t.notRegex(mount.log, /afterRestart/);
	await writeFile(file, 'bwlimit: 0\n');
	await until('it is said what is wrong', () => /bwlimit is 0; expected a rate in bytes/.test(mount.log));
});

test('a flag goes before the environment, and that before the file', async t => {
	const file = path.join(await workDirectory(t), 'larder.yaml');
	await writeFile(file, 'max-size: 10MB\nread-only: true\nlog-level: debug\n');
	const env = {LARDER_MAX_SIZE: '20MB', LARDER_LOG_LEVEL: 'info', LARDER_CONFIG: file};
	const {mount} = await startDrive(t, {flags: ['--max-size', '30MB', '--no-read-only'], env});
	t.is((await mount.stats())['max_mb'], 30);
	await run('stat', [path.join(mount.directory, 'by-url', 'no-url')]);
	t.false(mount.logLines.some(line => line.includes('"level":"debug"')));
});

function complaints(lines: readonly string[]): number {
	return lines.filter(line => line.includes('the changed configuration is not used')).length;
}
