import {readFileSync, watch, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createNotifier} from '../../../src/daemon/notify.js';
import {recordingLog, temporaryFolder} from './mounts.js';

/** A machine whose `systemd-notify` writes down what it was told; `lines` waits for that many. */
function systemd(t: ExecutionContext, exitCode = 0) {
	const folder = temporaryFolder(t);
	const book = path.join(folder, 'book');
	writeFileSync(book, '');
	const program = `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >>${book}\nexit ${exitCode}\n`;
	writeFileSync(path.join(folder, 'systemd-notify'), program, {mode: 0o755});
	const env = {PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: '/run/notify'};
	const read = () => readFileSync(book, 'utf8').trim().split('\n');
	const atLeast = (count: number) =>
		new Promise<string[]>(resolve => {
			const look = () => {
				if (read().length < count) return;
				watcher.close();
				resolve(read());
			};
			const watcher = watch(book, look);
			look();
		});
	return {env, read, atLeast};
}

test('systemd hears that the drive is ready, how it is, and that it stops', async t => {
	const {env, read} = systemd(t);
	const {log, lines} = recordingLog();
	const notifier = createNotifier(env, log);
	await notifier.ready('serving /mnt/my drive');
	await notifier.status('3 downloads');
	await notifier.stopping();
	t.deepEqual(read(), [
		'/run/notify --ready --status=serving /mnt/my drive',
		'/run/notify --status=3 downloads',
		'/run/notify STOPPING=1',
	]);
	t.deepEqual(lines, []);
});

test('the watchdog is fed from ready to close, and not before', async t => {
	const {env, read, atLeast} = systemd(t);
	const notifier = createNotifier(
		{...env, WATCHDOG_USEC: '40000', WATCHDOG_PID: String(process.pid)},
		recordingLog().log,
	);
	await notifier.status('starting');
	t.is(read().length, 1);

	await notifier.ready('serving');
	t.true((await atLeast(5)).filter(line => line === '/run/notify WATCHDOG=1').length >= 3);
	notifier.close();
});

test("another process's watchdog is not fed", async t => {
	const {env, read} = systemd(t);
	const notifier = createNotifier({...env, WATCHDOG_USEC: '1', WATCHDOG_PID: '1'}, recordingLog().log);
	await notifier.ready('serving');
	await notifier.stopping();
	t.is(read().length, 2);
});

test('without systemd nothing is run', async t => {
	const {env, read} = systemd(t);
	const notifier = createNotifier({...env, NOTIFY_SOCKET: undefined}, recordingLog().log);
	await notifier.ready('serving');
	await notifier.stopping();
	t.deepEqual(read(), ['']);
});

test('a notification that fails is logged and stops nothing', async t => {
	const {log, lines} = recordingLog();
	await createNotifier(systemd(t, 1).env, log).ready('serving');
	await createNotifier({PATH: '/nonexistent', NOTIFY_SOCKET: '/run/notify'}, log).ready('serving');
	t.deepEqual(lines, ['warn: systemd could not be notified', 'warn: systemd could not be notified']);
});
