import type {ExecutionContext} from 'ava';
import type {DiskCacheCommands} from './disk-cache-process.js';
import {ForkedProcess} from './forked-process.js';

const PROGRAM = new URL('disk-cache-process.js', import.meta.url).pathname;

/** Another process with a cache of larder/disk-cache. */
export const ForkedDiskCache = {
	/** Ends with the test. */
	start(t: ExecutionContext): ForkedProcess<DiskCacheCommands> {
		const forked = new ForkedProcess<DiskCacheCommands>(PROGRAM);
		t.teardown(() => forked.kill());
		return forked;
	},
};
