/** Real FUSE mounts without a file system behind them: what a daemon leaves that hangs or died. */
import {spawnSync} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, realpathSync, rmSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import type {Log} from '../../../src/base/log.js';

export const canMount = process.getuid?.() === 0 && spawnSync('test', ['-w', '/dev/fuse']).status === 0;

export function temporaryFolder(t: ExecutionContext): string {
	const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'larder-daemon-')));
	t.teardown(() => {
		rmSync(folder, {recursive: true, force: true});
	});
	return folder;
}

/**
 * Mounts at `folder` what answers nothing until `die`, and ENOTCONN from then
 * on. Unmounted at the end of the test.
 */
export function fuseMount(
	t: ExecutionContext,
	folder: string,
	{source, uid = 0}: {source: string; uid?: number},
): {die(): void} {
	const device = openSync('/dev/fuse', 'r+');
	const options = `fd=3,rootmode=40000,user_id=${uid},group_id=0`;
	const {status, stderr} = spawnSync('mount', ['-i', '-t', 'fuse.test', '-o', options, source, folder], {
		stdio: ['ignore', 'ignore', 'pipe', device],
		encoding: 'utf8',
	});
	if (status !== 0) throw new Error(`mount failed: ${stderr}`);

	let open = true;
	const die = () => {
		if (open) closeSync(device);
		open = false;
	};
	t.teardown(() => {
		die();
		spawnSync('umount', ['-l', folder]);
	});
	return {die};
}

/** A log that keeps `level: message` of every line. */
export function recordingLog(): {log: Log; lines: string[]} {
	const lines: string[] = [];
	const keep = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
	return {log: {debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error')}, lines};
}
