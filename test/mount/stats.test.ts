import test from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {text} from 'node:stream/consumers';
import {evaluate, fetchAll, startDrive} from '../helpers/drive.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test("stats.json has the original's keys, and counts entries, bytes, hits and misses", async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--max-size', '32MB']});
	t.like(await mount.stats(), {
		...{entries: 0, entries_in_memory: 0, total_bytes: 0, total_mb: 0},
		...{max_mb: 32, hits: 0, misses: 0, hit_rate: 0},
	});
	const [one, two] = [origin.serve('/1', {size: 1_048_576}), origin.serve('/2', {size: 524_288})].map(url =>
		mount.path(url),
	);
	for (const file of [one, two, one, one]) await run('cat', [file ?? '']);
	const stats = await until('a later rendering', async () => {
		const now = await mount.stats();
		return now['hits'] === 2 && now;
	});
	t.like(stats, {entries: 2, total_bytes: 1_572_864, total_mb: 1.5, max_mb: 32, hits: 2, misses: 2, hit_rate: 0.5});
});

test('an open stats.json has the size that is read from it, however it changes', async t => {
	const {mount, origin} = await startDrive(t);
	const file = path.join(mount.directory, 'stats.json');
	const sizeAndText = '(d => `${fs.fstatSync(d).size}\\n${fs.readFileSync(d)}`)(fs.openSync(f))';
	for (let round = 0; round < 8; round++) {
		await run('cat', [mount.path(origin.serve(`/${round}`, {size: 10 ** (round % 7)}))]);
		const [size, ...lines] = (await evaluate(sizeAndText, [file])).split('\n');
		const text = `${lines.join('\n')}\n`;
		t.is(Number(size), Buffer.byteLength(text), `round ${round}`);
		t.notThrows(() => void JSON.parse(text), text);
	}
});

test('readers of stats.json share one rendering for as long as any of them has it open', async t => {
	const {mount, origin} = await startDrive(t);
	const file = path.join(mount.directory, 'stats.json');
	const urls = Array.from({length: 20}, (_, index) => origin.serve(`/${index}`, {body: 'counted'}));
	const holder = spawn('bash', ['-c', 'exec 3< "$1"; echo open; read -r; cat <&3', 'bash', file]);
	t.teardown(() => holder.kill('SIGKILL'));
	const output = text(holder.stdout);
	await once(holder.stdout, 'readable');
	await fetchAll(mount, ...urls);
	const shared = await readFile(file, 'utf8');
	holder.stdin.end('\n');
	t.is(await output, `open\n${shared}`);
	t.like(JSON.parse(shared), {entries: 0, misses: 0});
	await until('the next rendering counts them', async () => (await mount.stats())['entries'] === 20);
	t.is(await evaluate('fs.openSync(f, "w")', [file]), 'EPERM');
});
