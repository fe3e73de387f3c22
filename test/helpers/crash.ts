import {readdir, readFile} from 'node:fs/promises';
import type {Mount} from './mount.js';

/** Kills the daemon with SIGKILL so that its mount stays behind, dead: nobody takes it away at a moment of their own. */
export async function crash(mount: Mount): Promise<void> {
	process.kill(await helperOf(mount), 'SIGKILL');
	await mount.stop('SIGKILL');
}

/** The fusermount that waits to clean up after the daemon of this mount. */
async function helperOf(mount: Mount): Promise<number> {
	for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
		const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
		if (/^[^\0]*fusermount/.test(command) && command.includes(mount.directory)) return Number(pid);
	}

	throw new Error('there is no fusermount for this mount');
}
