/** Ending a child together with everything it started. */
import type {ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {readdir, readFile} from 'node:fs/promises';
import {setTimeout as delay} from 'node:timers/promises';

/** Grandchildren are not ours to wait for: how often, and every how many ms, we look whether they are gone. */
const LOOKS = 100;
const LOOK_EVERY_MS = 10;

/** Kills the group that process `pid` leads (SIGKILL); nothing happens when there is none. */
export function killGroup(pid: number): void {
	signalGroup(pid, 'SIGKILL');
}

/**
 * Kills `child`, which was started with `detached: true`, and what it started;
 * resolves when they are gone, at the latest a second after `child` is. After
 * that none of them can write a file any more.
 */
export async function endGroup(child: ChildProcess): Promise<void> {
	const {pid} = child;
	if (pid === undefined) return;
	killGroup(pid);
	if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
	for (let look = 0; look < LOOKS && (await hasMembers(pid)); look++) await delay(LOOK_EVERY_MS);
}

/** A zombie is gone: an init that reaps no one, as in many containers, would let it stay for ever. */
async function hasMembers(group: number): Promise<boolean> {
	if (!signalGroup(group, 0)) return false;
	const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name));
	const alive = await Promise.all(pids.map(pid => isAliveIn(group, pid)));
	return alive.includes(true);
}

/** `/proc/PID/stat` is `PID (NAME) STATE PPID PGRP …`, where the name may hold anything (proc(5)). */
async function isAliveIn(group: number, pid: string): Promise<boolean> {
	const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
	const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return Number(pgrp) === group && state !== 'Z' && state !== 'X';
}

/** Whether there was a process to signal. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
	try {
		return process.kill(-pid, signal);
	} catch {
		return false;
	}
}
