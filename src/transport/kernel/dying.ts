import {readFileSync} from 'node:fs';
import {systemCode} from '../../base/errors.js';

/** PF_EXITING, `linux/sched.h`. */
const EXITING = 0x4;
/** Of `/proc/PID/stat`, counted from what follows the name: proc_pid_stat(5). */
const FLAGS_FIELD = 6;

/**
 * Whether a thread is on its way out, or gone. A reader that is killed while it
 * waits for readahead sends no INTERRUPT: the kernel lets it go by itself, and
 * tells nobody.
 *
 * @param pid - 0 for one of another name space, which cannot be looked at; false then.
 */
export function isDying(pid: number): boolean {
	if (pid === 0) return false;
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
		const flags = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[FLAGS_FIELD];
		return (Number(flags) & EXITING) !== 0;
	} catch {
		return isGone(pid);
	}
}

/** It may be there and hidden: `hidepid`, proc(5). */
function isGone(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return false;
	} catch (error) {
		return systemCode(error) === 'ESRCH';
	}
}
