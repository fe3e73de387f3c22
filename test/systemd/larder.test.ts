/** `larder@.service` as README.md has it installed, under a real systemd. */
import test from 'ava';
import {startOrigin} from '../helpers/drive.js';
import {gif} from '../helpers/gif.js';
import {inBox, MOUNT_POINT, whyNoBox} from './box.js';

const missing = whyNoBox();
const because = missing === undefined ? '' : ` (skipped: ${missing})`;
const testInBox = missing === undefined ? test.serial : test.skip;

/** Takes a descriptor of another process, and keeps it: pidfd_open(2), pidfd_getfd(2). */
const HOLD = `
import ctypes, signal, sys
syscall = ctypes.CDLL(None).syscall
pid = syscall(434, int(sys.argv[1]), 0)
if syscall(438, pid, int(sys.argv[2]), 0) >= 0: print('held', flush=True)
signal.pause()`;

function fileOf(url: string): string {
	return `${MOUNT_POINT}/by-url/${encodeURIComponent(url)}`;
}

testInBox(`the unit is active when the drive serves, not before, and its status says where${because}`, async t => {
	const said = await inBox(
		t,
		`
		mv "$LARDER" "$LARDER-itself"
		mkfifo /run/gate
		printf '#!/bin/sh\\nread -r _ </run/gate\\nexec %s-itself "$@"\\n' "$LARDER" >"$LARDER"
		chmod 755 "$LARDER"
		systemctl start --no-block "$UNIT"
		wait_for 10 pgrep -f "^/bin/sh $LARDER"
		report before systemctl is-active "$UNIT"
		report mounts-before kernel_mounts
		echo >/run/gate
		while [[ $(systemctl is-active "$UNIT") == activating ]]; do :; done
		report drive ls "$MP"
		report after systemctl is-active "$UNIT"
		report status show StatusText
	`,
	);
	t.is(said('before'), 'activating');
	t.is(said('mounts-before'), '0');
	t.is(said('drive'), 'by-key\nby-url\ndownloads.json\nstats.json');
	t.is(said('after'), 'active');
	t.is(said('status'), `serving ${MOUNT_POINT}`);
});

testInBox(
	`a program outside the service reads a URL, and after a restart the same bytes from the store${because}`,
	async t => {
		const origin = await startOrigin(t);
		const url = origin.serve('/hello', {body: 'hello'});
		const said = await inBox(
			t,
			`
		systemctl start "$UNIT"
		report first cat "$1"
		report restarted systemctl restart "$UNIT"
		report second cat "$1"
		report store stat -c '%a %U' /var/cache/larder
		report entries bash -c 'ls /var/cache/larder | sed "s/.*[.]//"'
		`,
			fileOf(url),
		);
		t.is(said('first'), 'hello');
		t.is(said('restarted'), '');
		t.is(said('second'), 'hello');
		t.is(origin.requests.length, 1);
		t.is(said('store'), '700 root');
		t.is(said('entries'), 'dat\njson');
	},
);

testInBox(
	`stopping it while a reader waits ends the reader, the mount and every process, at once and without a warning${because}`,
	async t => {
		const origin = await startOrigin(t);
		const said = await inBox(
			t,
			`
		systemctl start "$UNIT"
		cat "$1" >/dev/null 2>/run/reader & reader=$!
		cat "$2" >/dev/null 2>>/run/reader & other=$!
		wait_for 10 grep -q '"downloads_running": 2' "$MP/stats.json"
		report took-ms ms systemctl stop "$UNIT"
		wait $reader; report reader echo $?
		wait $other; report other echo $?
		report complaints cat /run/reader
		report state systemctl is-active "$UNIT"
		report result show Result
		report mounts kernel_mounts
		report left bash -c "ps -eo comm= | grep -E 'node|fusermount|^sh$'"
		report warnings journal --priority=warning
		`,
			fileOf(origin.serve('/hangs', {hang: true})),
			fileOf(origin.serve('/stalls', {size: 10_000_000, stallAt: 1_000_000})),
		);
		t.true(Number(said('took-ms')) < 5000, `${said('took-ms')} ms`);
		t.is(said('reader'), '1');
		t.is(said('other'), '1', said('complaints'));
		t.is(said('state'), 'inactive');
		t.is(said('result'), 'success');
		t.is(said('mounts'), '0');
		t.is(said('left'), '');
		t.is(said('warnings'), '');
	},
);

testInBox(`killed outright, it comes back by itself and serves what it had stored${because}`, async t => {
	const origin = await startOrigin(t);
	const url = origin.serve('/hello', {body: 'hello'});
	const said = await inBox(
		t,
		`
		systemctl start "$UNIT"
		report first cat "$1"
		systemctl kill --kill-whom=main --signal=KILL "$UNIT"
		wait_for 15 has_restarted
		report restarts show NRestarts
		report second cat "$1"
		report mounts kernel_mounts
		`,
		fileOf(url),
	);
	t.is(said('first'), 'hello');
	t.is(said('restarts'), '1');
	t.is(said('second'), 'hello');
	t.is(said('mounts'), '1');
	t.is(origin.requests.length, 1);
});

testInBox(
	`killed with all its processes it leaves no reader waiting, even where somebody else holds its device${because}`,
	async t => {
		const origin = await startOrigin(t);
		const said = await inBox(
			t,
			`
		drop_in Restart=no LimitCORE=0 Environment=LARDER_TRANSPORT=kernel
		systemctl start "$UNIT"
		cat "$1" >/dev/null 2>/run/reader & reader=$!
		wait_for 10 grep -q '"downloads_running": 1' "$MP/stats.json"
		pid=$(show MainPID)
		device=$(find /proc/$pid/fd -lname /dev/fuse -printf %f -quit)
		python3 -c "$2" "$pid" "$device" >/run/holder & holder=$!
		wait_for 10 grep -q held /run/holder
		report took-ms ms systemctl kill --kill-whom=all --signal=KILL "$UNIT"
		wait $reader; report reader cat /run/reader
		wait_for 10 systemctl is-failed "$UNIT"
		report mounts kernel_mounts
		kill $holder
		`,
			fileOf(origin.serve('/hangs', {hang: true})),
			HOLD,
		);
		t.regex(said('reader'), /Transport endpoint is not connected|Software caused connection abort/);
		t.is(said('mounts'), '0');
	},
);

testInBox(`a dead mount in the place of the drive is taken away at the start${because}`, async t => {
	const said = await inBox(
		t,
		`
		mkdir -p "$MP"
		exec 9<>/dev/fuse
		mount -i -t fuse.larder -o fd=9,rootmode=40000,user_id=0,group_id=0 larder "$MP"
		exec 9>&-
		report dead stat "$MP"
		report start systemctl start "$UNIT"
		report drive ls "$MP"
		report mounts kernel_mounts
	`,
	);
	t.regex(said('dead'), /Transport endpoint is not connected/);
	t.is(said('start'), '');
	t.is(said('drive'), 'by-key\nby-url\ndownloads.json\nstats.json');
	t.is(said('mounts'), '1');
});

testInBox(
	`over a live drive of somebody else it fails with one line, gives up, and leaves that drive alone${because}`,
	async t => {
		const said = await inBox(
			t,
			`
		drop_in RestartSec=50ms
		mkdir -p "$MP"
		larder mount "$MP" --cache-dir /var/cache/other 2>/dev/null & other=$!
		wait_for 10 is_served
		report start systemctl start "$UNIT"
		wait_for 15 systemctl is-failed "$UNIT"
		report state systemctl is-failed "$UNIT"
		report restarts show NRestarts
		report lines journal --identifier=larder
		report drive ls "$MP"
		report mounts kernel_mounts
		kill $other; wait $other
	`,
		);
		t.regex(said('start'), /failed/);
		t.is(said('state'), 'failed');
		t.true(Number(said('restarts')) <= 5, said('restarts'));
		const [line = '', ...others] = new Set(said('lines').split('\n'));
		t.regex(line, /^larder: a larder drive is already mounted at \/mnt\/my drive; .+$/);
		t.deepEqual(others, []);
		t.is(said('drive'), 'by-key\nby-url\ndownloads.json\nstats.json');
		t.is(said('mounts'), '1');
	},
);

testInBox(`with a wrong setting it fails with one line that names it, and is not tried again${because}`, async t => {
	const said = await inBox(
		t,
		`
		drop_in Environment=LARDER_MAX_SIZE=lots RestartSec=50ms
		report start systemctl start "$UNIT"
		report state systemctl is-failed "$UNIT"
		sleep 1
		report restarts show NRestarts
		report lines journal --identifier=larder
		report mounts kernel_mounts
	`,
	);
	t.regex(said('start'), /failed/);
	t.is(said('state'), 'failed');
	t.is(said('restarts'), '0');
	t.regex(said('lines'), /^larder: LARDER_MAX_SIZE is "lots".+$/);
	t.is(said('mounts'), '0');
});

testInBox(`a daemon that hangs is replaced by the watchdog, one that serves is not${because}`, async t => {
	const said = await inBox(
		t,
		`
		drop_in WatchdogSec=1 RestartSec=50ms LimitCORE=0
		systemctl start "$UNIT"
		sleep 2.5
		report restarts-serving show NRestarts
		kill -STOP "$(show MainPID)"
		wait_for 15 has_restarted
		report restarts show NRestarts
		report drive ls "$MP"
		report why journal --grep='watchdog timeout'
	`,
	);
	t.is(said('restarts-serving'), '0');
	t.is(said('restarts'), '1');
	t.is(said('drive'), 'by-key\nby-url\ndownloads.json\nstats.json');
	t.is(said('why').split('\n').length, 1, said('why'));
	t.regex(said('why'), /Watchdog timeout/);
});

testInBox(`a line of the log has its priority in the journal${because}`, async t => {
	const origin = await startOrigin(t);
	const said = await inBox(
		t,
		`
		systemctl start "$UNIT"
		report reader cat "$1"
		report warnings journal --identifier=larder --priority=warning
		report informations journal --identifier=larder --priority=info..info
		`,
		fileOf(origin.serve('/forbidden?token=secret', {status: 403})),
	);
	t.regex(said('reader'), /Permission denied/);
	t.regex(said('warnings'), /^.+ status 403 .*"operation":"open".*$/);
	t.notRegex(said('warnings'), /secret|<4>/);
	t.regex(said('informations'), /^mounted .*$/m);
});

testInBox(
	`it takes its settings from /etc/larder/config.yaml, and a change of them without a restart${because}`,
	async t => {
		const said = await inBox(
			t,
			`
		mkdir -p /etc/larder
		echo 'max-size: 1GB' >/etc/larder/config.yaml
		systemctl start "$UNIT"
		report before grep max_bytes "$MP/stats.json"
		echo 'max-size: 2GB' >/etc/larder/config.yaml
		wait_for 10 grep -q 2147483648 "$MP/stats.json"
		report after grep max_bytes "$MP/stats.json"
		report restarts show NRestarts
	`,
		);
		t.regex(said('before'), / 1073741824,/);
		t.regex(said('after'), / 2147483648,/);
		t.is(said('restarts'), '0');
	},
);

testInBox(`what hardens it lets ffmpeg make an MP4 of a GIF${because}`, async t => {
	const origin = await startOrigin(t);
	const frames = [{delay: 10}, {delay: 10, color: 1}];
	const said = await inBox(
		t,
		`
		systemctl start "$UNIT"
		report type bash -c 'head -c 8 "$0" | tail -c 4' "$1"
		report warnings journal --priority=warning
		`,
		fileOf(origin.serve('/a.gif', {body: gif({width: 16, height: 16, frames}), type: 'image/gif'})),
	);
	t.is(said('warnings'), '');
	t.is(said('type'), 'ftyp');
});
