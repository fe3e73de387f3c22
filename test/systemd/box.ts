/** A machine of its own under a real systemd, for one script; see the head of `systemd-box`. */
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {LARDER} from '../helpers/mount.js';
import {run} from '../helpers/run.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const BOX = path.join(ROOT, 'test/systemd/systemd-box');

/** The whole script; more than any of them takes. */
const DEADLINE_S = 60;

/** A space in its name: the unit has to quote it wherever it stands. */
export const MOUNT_POINT = '/mnt/my drive';

/** Why no box can be had here; undefined where one can. */
export function whyNoBox(): string | undefined {
	if (process.getuid?.() !== 0) return 'only root can start a systemd';
	if (!existsSync('/lib/systemd/systemd') || !existsSync('/usr/bin/systemctl')) return 'systemd is not installed';
	if (!existsSync('/usr/bin/dbus-daemon')) return 'dbus is not installed';
	if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
	const {status} = spawnSync('unshare', ['--mount', '--pid', '--fork', '--cgroup', 'true']);
	return status === 0 ? undefined : 'namespaces cannot be made here';
}

/** What a script of shell may use beside systemd's own commands. */
const PRELUDE = `
set -u
MP=${quoted(MOUNT_POINT)}
UNIT=larder@$(systemd-escape --path "$MP").service
LARDER=/usr/local/bin/larder

# report NAME COMMAND...: what COMMAND prints, for the test.
report() { local name=$1; shift; printf '%s %s\\n' "$name" "$("$@" 2>&1 | base64 -w0)"; }
# wait_for SECONDS COMMAND...: until COMMAND succeeds.
wait_for() {
	local end=$((SECONDS + $1)); shift
	until "$@" >/dev/null 2>&1; do ((SECONDS < end)) || return 1; sleep 0.05; done
}
# ms COMMAND...: prints how long it takes.
ms() { local from=\${EPOCHREALTIME/./}; "$@" >/dev/null 2>&1; echo $(((\${EPOCHREALTIME/./} - from) / 1000)); }
# journal [OPTION...]: the messages of the service, or those that the options ask for.
journal() { journalctl --sync; journalctl --quiet --no-pager --output=cat --unit="$UNIT" "$@"; }
show() { systemctl show --value --property="$1" "$UNIT"; }
drop_in() {
	mkdir -p /etc/systemd/system/larder@.service.d
	printf '[Service]\\n%s\\n' "$@" >>/etc/systemd/system/larder@.service.d/test.conf
	systemctl daemon-reload
}
kernel_mounts() { grep -cF "$(printf '%q' "$MP" | sed 's/\\\\ /\\\\040/') " /proc/self/mountinfo; }
has_restarted() { [[ $(show NRestarts) != 0 && $(show ActiveState) == active ]]; }
is_served() { [[ -s $MP/stats.json ]]; }

# Installed as the README says, and found on the usual PATH.
printf '#!/bin/sh\\nexec %s %s "$@"\\n' ${quoted(process.execPath)} ${quoted(LARDER)} >"$LARDER"
chmod 755 "$LARDER"
cp ${quoted(path.join(ROOT, 'systemd/larder@.service'))} /etc/systemd/system/
systemctl daemon-reload
trap 'systemctl stop "$UNIT"; report journal journal --output=short-precise' EXIT
`;

/**
 * Runs a script in a box of its own, in which the unit is installed and not
 * started; what it changes is gone afterwards.
 *
 * @param args - `$1` and so on.
 * @returns what the script reported, by name; asking for what it did not report
 *   is an error that says how far it came.
 */
export async function inBox(t: ExecutionContext, script: string, ...args: string[]): Promise<(name: string) => string> {
	const command = [BOX, 'bash', '-c', PRELUDE + script, 'box', ...args];
	// The box ends its machine when it is told to; killed outright it could not.
	const {stdout, stderr} = await run('timeout', ['--kill-after=5', `${DEADLINE_S}`, ...command], {
		env: {BOX_BIND: ROOT},
		deadlineMs: (DEADLINE_S + 15) * 1000,
	});
	const reports = new Map<string, string>();
	for (const line of stdout.split('\n')) {
		const [name = '', value = ''] = line.split(' ');
		reports.set(name, Buffer.from(value, 'base64').toString().trimEnd());
	}

	t.teardown(() => {
		if (!t.passed) t.log(reports.get('journal'));
	});
	return name => {
		const value = reports.get(name);
		if (value !== undefined) return value;
		throw new Error(`the box did not report ${name}:\n${reports.get('journal') ?? ''}\n${stderr}`);
	};
}

function quoted(text: string): string {
	return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
