import {readFileSync} from 'node:fs';

/** PF_EXITING, `linux/sched.h`. */
const EXITING = 0x4;
/** Of `/proc/PID/stat`, counted from what follows the name: proc_pid_stat(5). */
const FLAGS_FIELD = 6;

/**
 * Whether a thread is on its way out, or gone. A reader that is killed while it
 * waits for readahead sends no INTERRUPT: the kernel lets it go by itself, and
 * tells nobody.
 */
export function isDying(pid: number): boolean {
	let stat: string;
	try {
		stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
	} catch {
		return true;
	}

	const flags = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[FLAGS_FIELD];
	return (Number(flags) & EXITING) !== 0;
}
