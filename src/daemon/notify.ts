/** Tells systemd how we are, with its own `systemd-notify`; without systemd it does nothing. */
import type {Log} from '../base/log.js';
import {run} from './run.js';

export interface Notifier {
	/** The drive is mounted and serves. From here on the watchdog is fed. */
	ready(status: string): Promise<void>;
	/** One line for `systemctl status`. */
	status(text: string): Promise<void>;
	/** The drive is being unmounted. The watchdog is fed until `close`. */
	stopping(): Promise<void>;
	close(): void;
}

/** A notification is worth no more waiting than this. */
const TIMEOUT_MS = 5000;

/**
 * The unit needs `NotifyAccess=all`, because the messages come from children. A
 * failure is logged and otherwise ignored: systemd notices what it misses.
 *
 * @param env - `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` as systemd
 *   sets them, and `PATH`.
 * @see sd_notify(3), sd_watchdog_enabled(3)
 */
export function createNotifier(env: Readonly<Record<string, string | undefined>>, log: Log): Notifier {
	const socket = env['NOTIFY_SOCKET'];
	if (!socket) return {ready: nothing, status: nothing, stopping: nothing, close() {}};

	const notify = async (...words: string[]): Promise<void> => {
		const childEnv = {PATH: env['PATH'], NOTIFY_SOCKET: socket};
		const {code, complaint} = await run(['systemd-notify', ...words], {timeoutMs: TIMEOUT_MS, env: childEnv});
		if (code !== 0) log.warn('systemd could not be notified', {words, complaint});
	};
	const watchdogMs = watchdogInterval(env);
	let watchdog: NodeJS.Timeout | undefined;
	return {
		async ready(status) {
			if (watchdogMs !== undefined) watchdog ??= setInterval(() => void notify('WATCHDOG=1'), watchdogMs);
			await notify('--ready', `--status=${status}`);
		},
		status: text => notify(`--status=${text}`),
		stopping: () => notify('STOPPING=1'),
		close: () => clearInterval(watchdog),
	};
}

/** Half of what systemd allows, in milliseconds; nothing when it watches no one, or another process. */
function watchdogInterval(env: Readonly<Record<string, string | undefined>>): number | undefined {
	const {WATCHDOG_USEC: usec, WATCHDOG_PID: pid} = env;
	if (usec === undefined || (pid !== undefined && Number(pid) !== process.pid)) return undefined;
	return Number(usec) / 2000;
}

function nothing(): Promise<void> {
	return Promise.resolve();
}
