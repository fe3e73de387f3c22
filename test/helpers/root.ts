/** What only root may do, for tests that break a file system. */
import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import type {ExecutionContext} from 'ava';

export const IS_ROOT = process.getuid?.() === 0;

/** Ends the title of a test that was skipped for want of it. */
export const NOT_ROOT = '(skipped: only root may do this)';

/** Mounts a small file system at `directory`, and unmounts it with the test: `size=2m`, `nr_inodes=20`. */
export function mountTmpfs(t: ExecutionContext, directory: string, options: string): void {
	execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
	t.teardown(() => execFileSync('umount', ['-l', directory]));
}

/**
 * Makes `file` one that cannot be unlinked (EBUSY), by mounting it on itself.
 *
 * @returns a function that makes it one again that can.
 */
export function nailDown(t: ExecutionContext, file: string): () => void {
	execFileSync('mount', ['--bind', file, file]);
	let isNailed = true;
	const release = () => {
		if (isNailed) execFileSync('umount', ['-l', file]);
		isNailed = false;
	};
	t.teardown(release);
	return release;
}

/** Writes a file so that a full disk is full to the last block. */
export function fillUp(file: string): void {
	for (let sizeBytes = 1024 * 1024; sizeBytes >= 1; sizeBytes = Math.floor(sizeBytes / 4)) {
		try {
			for (;;) writeFileSync(file, Buffer.alloc(sizeBytes), {flag: 'a'});
		} catch {
			continue; // less may still fit
		}
	}
}
