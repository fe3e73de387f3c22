/** Who a process is, told so that another process can find out later whether it still lives. */
import {readFileSync} from 'node:fs';
import {systemCode} from './errors.js';

/**
 * A process number alone is given to another process sooner or later; with its
 * start time it is one process of this boot, and with the boot id one of all times.
 */
export interface ProcessIdentity {
	readonly pid: number;
	/** Clock ticks since the boot, in decimal: field 22 of `/proc/<pid>/stat`. */
	readonly startTime: string;
	readonly bootId: string;
}

let self: ProcessIdentity | undefined;
let boot: string | undefined;

/** This process. The same from all of its threads. */
export function thisProcess(): ProcessIdentity {
	self ??= readSelf();
	return self;
}

/** The number as /proc has it, in which `isAlive` will look: in a namespace of its own a process may know another. */
function readSelf(): ProcessIdentity {
	const {pid, startTime} = parseStat(readFileSync('/proc/self/stat', 'latin1'));
	return {pid, startTime, bootId: bootId()};
}

/**
 * Whether that very process is still there. A zombie is not: it has ended, and
 * only its parent has not asked how. One that may not be looked at counts as alive.
 */
export function isAlive(identity: ProcessIdentity): boolean {
	if (identity.bootId !== bootId()) return false;
	try {
		const {startTime, state} = parseStat(readFileSync(`/proc/${identity.pid}/stat`, 'latin1'));
		return startTime === identity.startTime && !ENDED.has(state);
	} catch (error) {
		// ESRCH: it ended between the open and the read.
		return !['ENOENT', 'ESRCH'].includes(systemCode(error) ?? '');
	}
}

/** A UUID made at random at each boot: `/proc/sys/kernel/random/boot_id`, random(4). */
export function bootId(): string {
	return (boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
}

/**
 * When the machine was started, epoch milliseconds in whole seconds: `btime` of
 * `/proc/stat`, proc(5). Not the same all the time: the kernel counts it back
 * from the wall clock, so it moves when that is set.
 */
export function bootedAtMs(): number {
	const seconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1];
	if (seconds === undefined) throw new Error('/proc/stat has no btime');
	return Number(seconds) * 1000;
}

/** States of a process that has ended: zombie and dead, proc(5). */
const ENDED: ReadonlySet<string> = new Set(['Z', 'X', 'x']);

/**
 * `/proc/<pid>/stat` is `pid (comm) state ppid …`, and comm may hold spaces,
 * parentheses, line ends and what is not UTF-8: all that counts lies outside of
 * the first `(` and the last `)`. Fields have numbers from 1 in proc(5).
 *
 * `7 (a) Z (b) S 1 …` -> pid 7, state S
 */
function parseStat(stat: string): {pid: number; state: string; startTime: string} {
	const fromState = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	const field = (number: number) => fromState[number - 3] ?? '';
	return {pid: Number.parseInt(stat, 10), state: field(3), startTime: field(22)};
}
