import {spawn, type ChildProcess} from 'node:child_process';
import {cleanStdio} from '../base/clean-spawn.js';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import type {Host} from './host.js';
import {unmountCommand} from './mount-state.js';
import {escaped} from './mount-table.js';

export interface Watchdog {
	/** The drive is there, on this device: it is what has to go when this process dies. */
	guard(device: string): void;
	/** The drive is not there any more: the watchdog goes, and does nothing. */
	dismiss(): void;
}

/**
 * What waits for the end of its standard input, which is the end of this
 * process, however it came. It is told the device of the drive, and `unmounted`
 * when there is nothing left to do.
 *
 * The abort file is opened beforehand. Numbers of devices are given again at
 * once; an open file of fusectl leads to no connection but its own, and to none
 * when that is gone. Where it could not be opened, only a mount that is dead is
 * taken away.
 *
 * A shell, because it is there all the time: 1.7 MB, of which 0.1 are its own,
 * and a few ms to start. node takes 42 MB, of which 7 are its own, and 80 ms.
 */
const SCRIPT = `
	place=$1 connections=$2
	shift 2
	trap '' HUP INT TERM
	read -r device
	abort=$connections/\${device#*:}/abort
	[ -n "$device" ] && [ -w "$abort" ] && exec 3>"$abort"
	read -r word && exit
	if [ -e /proc/$$/fd/3 ]; then
		echo 1 >&3
		[ /proc/$$/fd/3 -ef "$abort" ] || exit
	else
		case $(timeout 1 stat "$place" 2>&1) in
			*'not connected' | *'caused connection abort') ;;
			*) exit ;;
		esac
	fi
	top=
	while read -r id parent found root point rest; do
		[ "$point" = "$ESCAPED" ] && top=$found
	done </proc/self/mountinfo
	[ -n "$top" ] && [ "$top" = "\${device:-$top}" ] && exec "$@"
`;

/** One that is killed again and again is killed on purpose. */
const MOST_STARTS = 4;

/**
 * Starts a process that takes the drive away when this one dies: a mount
 * without its daemon is an error for everyone who comes upon it. To be called
 * before the drive is mounted, so that it never holds `/dev/fuse`.
 *
 * It is in a session of its own, as ^C and a terminal that closes are for the
 * daemon, which then unmounts by itself. When it dies, the log says so and
 * another one is started.
 *
 * @param mountPoint - absolute, without symbolic links.
 */
export async function startWatchdog(mountPoint: string, {host, log}: {host: Host; log: Log}): Promise<Watchdog> {
	const command = await unmountCommand(mountPoint, host, {lazy: true});
	let device: string | undefined;
	let isDismissed = false;
	let starts = 0;
	let child = start();

	function start(): ChildProcess {
		starts++;
		const args = ['-c', SCRIPT, 'larder-watchdog', mountPoint, host.connections, ...command];
		const started = spawn('/bin/sh', args, {
			stdio: cleanStdio(['pipe', 'ignore', 'ignore']),
			env: {PATH: host.searchPath, LC_ALL: 'C', ESCAPED: escaped(mountPoint)},
			cwd: '/',
			detached: true,
		});
		started.stdin?.on('error', () => undefined);
		started.once('error', error => log.warn('there is no watchdog', {reason: messageOf(error)}));
		started.once('exit', (code, signal) => replace(signal ?? `exit code ${code}`));
		if (device !== undefined) started.stdin?.write(`${device}\n`);
		return started;
	}

	function replace(why: string): void {
		if (isDismissed) return;
		const isReplaced = starts < MOST_STARTS;
		log.warn('the watchdog has died', {why, isReplaced});
		if (isReplaced) child = start();
	}

	return {
		guard(number) {
			device = number;
			child.stdin?.write(`${number}\n`);
		},
		dismiss() {
			isDismissed = true;
			child.stdin?.end(device === undefined ? '\nunmounted\n' : 'unmounted\n');
		},
	};
}
