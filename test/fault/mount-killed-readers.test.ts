/** Readers that are killed at any moment of what they do on the kernel transport. */
import {readdir, readFile} from 'node:fs/promises';
import test, {type ExecutionContext} from 'ava';
import {fetchAll, reading, startDrive} from '../helpers/drive.js';
import type {Mount} from '../helpers/mount.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

/** 10,000 of them take two minutes: `LARDER_KILLED_READERS=10000`. */
const CYCLES = Number(process.env['LARDER_KILLED_READERS'] ?? 400);
/** A leak of 4 KiB in each cycle would be this much in 10,000; what V8 keeps is about half of it. */
const GROWTH_BYTES = 40 * 1024 * 1024;
const PATIENT = ['--open-timeout', '60s', '--read-timeout', '60s', '--headers-timeout', '60s', '--idle-timeout', '60s'];

test('readers that are killed while they look up, open, read or close leave no handle, thread, descriptor or memory', async t => {
	const {mount, origin} = await startDrive(t, {transport: 'kernel', flags: PATIENT});
	const stored = origin.serve('/stored', {size: 300_000});
	await fetchAll(mount, stored);
	const files = [
		origin.serve('/hung', {hang: true}),
		origin.serve('/stalls', {size: 5_000_000, stallAt: 300_000}),
		origin.serve('/slow', {size: 50_000_000, rate: 20_000_000}),
		stored,
	].map(url => mount.path(url));
	await killReaders(t, Math.ceil(CYCLES / 2), files);
	const warm = await resourcesWhenIdle(mount);
	await killReaders(t, CYCLES, files);
	const after = await resourcesWhenIdle(mount);
	t.log(`before ${JSON.stringify(warm)}, after ${CYCLES} more ${JSON.stringify(after)}`);
	t.true(after.descriptors <= warm.descriptors + 2, `${after.descriptors} descriptors, ${warm.descriptors} before`);
	t.true(after.threads <= warm.threads, `${after.threads} threads, ${warm.threads} before`);
	t.true(
		after.residentBytes - warm.residentBytes < GROWTH_BYTES,
		`${warm.residentBytes} to ${after.residentBytes} bytes`,
	);
	t.is(await reading(mount.path(stored)), 'read 300000 bytes');
	t.is(await mount.stop(), 0, 'nothing keeps it from ending');
});

async function killReaders(t: ExecutionContext, cycles: number, files: readonly string[]): Promise<void> {
	const {code, stderr} = await run('python3', ['-c', KILLED_READERS, `${cycles}`, ...files], {deadlineMs: 300_000});
	t.is(code, 0, stderr);
}

/**
 * Forks readers, eight at a time, and kills each 0 to 4 ms later with SIGKILL or SIGTERM. One that is not gone
 * a while later ends it all with what it waits in.
 */
const KILLED_READERS = `
import os, random, signal, sys, time
cycles, files = int(sys.argv[1]), sys.argv[2:]
def read(name):
	try:
		fd = os.open(name, os.O_RDONLY)
		for at in (0, 250000, 4000000): os.pread(fd, 65536, at)
		os.close(fd)
	finally:
		os._exit(0)
def gone(pid):
	end = time.time() + 20
	while os.waitpid(pid, os.WNOHANG)[0] == 0:
		if time.time() > end: sys.exit('%d is in %s' % (pid, open('/proc/%d/wchan' % pid).read()))
		time.sleep(0.0005)
random.seed(cycles)
for first in range(0, cycles, 8):
	pids = []
	for index in range(first, min(first + 8, cycles)):
		pid = os.fork()
		if pid == 0: read(random.choice(files))
		pids.append(pid)
	for pid in pids:
		time.sleep(random.random() * 0.004)
		os.kill(pid, random.choice((signal.SIGKILL, signal.SIGTERM)))
	for pid in pids: gone(pid)
`;

interface Resources {
	readonly descriptors: number;
	readonly threads: number;
	readonly residentBytes: number;
}

/** What the daemon has when nothing is downloaded and nothing is open any more. */
async function resourcesWhenIdle(mount: Mount): Promise<Resources> {
	await until('nothing is downloaded', async () => {
		const downloads = JSON.parse(await readFile(`${mount.directory}/downloads.json`, 'utf8')) as {readers: number}[];
		return downloads.every(({readers}) => readers === 0);
	});
	let last = await resourcesOf(mount);
	await until('its descriptors are closed', async () => {
		const next = await resourcesOf(mount);
		const isSettled = next.descriptors === last.descriptors;
		last = next;
		return isSettled;
	});
	return last;
}

async function resourcesOf({pid}: Mount): Promise<Resources> {
	const status = await readFile(`/proc/${pid}/status`, 'utf8');
	return {
		descriptors: (await readdir(`/proc/${pid}/fd`)).length,
		threads: Number(/Threads:\s*(\d+)/.exec(status)?.[1]),
		residentBytes: Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]) * 1024,
	};
}
