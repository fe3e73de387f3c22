import test from 'ava';
import {chown, mkdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {workDirectory} from '../helpers/drive.js';
import {LARDER} from '../helpers/mount.js';
import {IS_ROOT, NOT_ROOT} from '../helpers/root.js';
import {run} from '../helpers/run.js';

const asRoot = IS_ROOT ? test : test.skip;
const because = IS_ROOT ? '' : ` ${NOT_ROOT}`;

/** Nobody. */
const UID = 65_534;

for (const transport of ['fuse-native', 'kernel'] as const) {
	asRoot(
		`${transport}: an ordinary user's drive is aborted and unmounted when its daemon is killed, though somebody else holds its device${because}`,
		async t => {
			const base = await workDirectory(t);
			const [directory, cacheDir] = [path.join(base, 'mnt'), path.join(base, 'cache')];
			await mkdir(directory);
			await chown(directory, UID, UID);
			const [script, hold] = [path.join(base, 'script.sh'), path.join(base, 'hold.py')];
			await writeFile(script, SCRIPT);
			await writeFile(hold, HOLD);
			const {code, stdout, stderr} = await run(
				'unshare',
				['-m', '--propagation', 'private', 'bash', script, base, process.execPath, LARDER, directory, cacheDir],
				{deadlineMs: 60_000, env: {LARDER_TRANSPORT: transport, HOME: base}},
			);
			t.is(code, 0, stderr);
			const [ms, reader, mounts] = stdout.trim().split('\n');
			t.log(`the reader was free after ${ms} ms`);
			t.true(Number(ms) < 1000, stdout + stderr);
			t.regex(reader ?? '', /Transport endpoint is not connected|Software caused connection abort/);
			t.is(mounts, '0');
			t.regex(stderr, new RegExp(`"transport":"${transport}"`));
		},
	);
}

/** Takes a descriptor of another process, and keeps it: pidfd_open(2), pidfd_getfd(2). */
const HOLD = `
import ctypes, signal, sys
syscall = ctypes.CDLL(None).syscall
pid = syscall(434, int(sys.argv[1]), 0)
if syscall(438, pid, int(sys.argv[2]), 0) >= 0: print('held', flush=True)
signal.pause()
`;

/** In a name space of its own, where anybody may open the device. */
const SCRIPT = `
mknod "$1/fuse" c 10 229; chmod 666 "$1/fuse"; mount --bind "$1/fuse" /dev/fuse
user=(setpriv --reuid=${UID} --regid=${UID} --clear-groups)
wait_for() { for _ in $(seq 200); do "$@" && return; sleep 0.05; done; return 1; }
now() { echo $(( \${EPOCHREALTIME/[.,]/} / 1000 )); }
cd /
trap 'cat "$1/log" >&2; kill -KILL $pid $holder 2>/dev/null' EXIT
"\${user[@]}" "$2" "$3" mount "$4" --cache-dir "$5" --log-format json 2>"$1/log" & pid=$!
wait_for grep -q '"msg":"mounted"' "$1/log" || exit 1
device=$(find "/proc/$pid/fd" -lname /dev/fuse -printf %f -quit)
python3 "$1/hold.py" "$pid" "$device" >"$1/holder" & holder=$!
wait_for grep -q held "$1/holder" || exit 1
kill -STOP "$pid"
"\${user[@]}" cat "$4/stats.json" 2>"$1/reader" & reader=$!
wait_for grep -q request_wait_answer "/proc/$reader/wchan" || exit 1
from=$(now)
kill -KILL "$pid"
wait $reader
echo $(($(now) - from))
cat "$1/reader"
wait_for sh -c '! grep -qF "$1" /proc/self/mountinfo' sh " $4 "
grep -cF " $4 " /proc/self/mountinfo || true
`;
