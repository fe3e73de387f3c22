import {readdir, readFile} from 'node:fs/promises';
import type {Mount} from './mount.js';
import {until} from './until.js';

/** Kills the daemon with SIGKILL so that its mount stays behind, dead: nobody takes it away at a moment of their own. */
export async function crash(mount: Mount): Promise<void> {
	// Stopped, it does not start another one.
	process.kill(mount.pid, 'SIGSTOP');
	process.kill(await watchdogOf(mount), 'SIGKILL');
	await mount.stop('SIGKILL');
}

/** The process that waits to clean up after the daemon of this mount. */
export function watchdogOf(mount: Mount): Promise<number> {
	return until('there is a watchdog for this mount', async () => {
		for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
			const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
			if (command.includes('\0larder-watchdog\0') && command.includes(`\0${mount.directory}\0`)) return Number(pid);
		}

		return 0;
	});
}
