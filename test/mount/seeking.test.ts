/** Reading anywhere in what is still to come, through the kernel. */
import {readFile, symlink} from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {sha256, startDrive, testWith, workDirectory} from '../helpers/drive.js';
import {startNginx} from '../helpers/nginx.js';
import {generatedBody, type Behaviour} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const MIB = 1024 * 1024;
const SIZE = 24 * MIB + 4321;
const BODY = generatedBody(SIZE);
const RANGES: Behaviour = {size: SIZE, ranges: true, etag: '"one"'};

test('the end of a file is read while its beginning does not go on, and the middle too', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/film', {...RANGES, sequence: [{...RANGES, stallAt: MIB}]});
	const file = mount.path(url);
	const {stdout} = await sh(
		'exec 3< "$1"; tail -c 65536 "$1" | sha256sum; dd if="$1" bs=64K skip=200 count=3 status=none | sha256sum',
		file,
	);
	t.deepEqual(
		stdout
			.trim()
			.split('\n')
			.map(line => line.slice(0, 64)),
		[sha256(BODY.subarray(SIZE - 65_536)), sha256(BODY.subarray(200 * 65_536, 203 * 65_536))],
	);
	const [download] = JSON.parse(await readFile(path.join(mount.directory, 'downloads.json'), 'utf8')) as State[];
	t.true((download?.bytes ?? SIZE) < 8 * MIB, `${download?.bytes} bytes`);
});

test('programs that read in their own ways get the right bytes of a file that comes in pieces', async t => {
	const {mount, origin} = await startDrive(t);
	const expected = sha256(BODY);
	const scripts = [
		'tail -c 1000 "$1" > /dev/null; cp --sparse=auto "$1" "$2/out"; sha256sum < "$2/out"',
		'dd if="$1" of="$2/out" bs=1M status=none; sha256sum < "$2/out"',
		'rsync "$1" "$2/out"; sha256sum < "$2/out"',
		`python3 -c '
import hashlib, mmap, sys
with open(sys.argv[1], "rb") as file:
    file.read(1)
    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        ignored = mapped[20000000:20000100]
        print(hashlib.sha256(mapped).hexdigest())
' "$1"`,
		`python3 -c '
import os, sys
with open(sys.argv[1], "rb") as file, open(sys.argv[2] + "/out", "wb") as out:
    offset = 0
    while (sent := os.sendfile(out.fileno(), file.fileno(), offset, 1 << 20)) > 0: offset += sent
' "$1" "$2"; sha256sum < "$2/out"`,
	];
	for (const [index, script] of scripts.entries()) {
		const cuts = [3_000_000, 1, 5_000_000].map((cutAt): Behaviour => ({...RANGES, cutAt}));
		const url = origin.serve(`/pieces/${index}`, {...RANGES, sequence: cuts});
		const {code, stdout, stderr} = await sh(script, mount.path(url), await workDirectory(t));
		t.deepEqual([code, stderr, stdout.slice(0, 64)], [0, '', expected], script);
	}
});

test('what is mapped after its first half was read has the right bytes of the second, which comes meanwhile', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/half', {...RANGES, rate: 8_000_000});
	const script = `
import hashlib, json, mmap, sys
with open(sys.argv[1], "rb") as file:
    file.read(${SIZE >> 1})
    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        print(json.load(open(sys.argv[2]))[0]["bytes"])
        print(hashlib.sha256(mapped).hexdigest())
`;
	const downloads = path.join(mount.directory, 'downloads.json');
	const {stdout, stderr} = await run('python3', ['-c', script, mount.path(url), downloads]);
	const [bytes = '', sum] = stdout.split('\n');
	t.is(stderr, '');
	t.true(Number(bytes) > 0 && Number(bytes) < SIZE, `${bytes} bytes were there`);
	t.is(sum, sha256(BODY));
});

testWith(['nginx', 'curl'], 'nginx sends a file that is still coming by sendfile, all of it and a part', async t => {
	const {mount, origin} = await startDrive(t);
	const root = await workDirectory(t);
	for (const name of ['whole', 'part']) {
		await symlink(mount.path(origin.serve(`/${name}`, {...RANGES, rate: 20_000_000})), path.join(root, name));
	}

	const base = await startNginx(t, root);
	const {stdout: whole} = await sh('curl --silent --fail "$1" | sha256sum', `${base}/whole`);
	t.is(whole.slice(0, 64), sha256(BODY));
	const [start, end] = [15_000_000, 15_300_000];
	const {stdout: part} = await sh('curl -sf -r "$2" "$1" | sha256sum', `${base}/part`, `${start}-${end - 1}`);
	t.is(part.slice(0, 64), sha256(BODY.subarray(start, end)));
});

test('a broken connection is not seen by who reads, and what had come is not fetched again', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/broken', {...RANGES, cutAt: 10 * MIB});
	t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(BODY));
	await until('it is counted', async () => (await mount.stats())['downloads'] === 1);
	t.is((await mount.stats())['downloaded_bytes'], SIZE);
	// No connection brings all of it.
	t.true(origin.requests.length > 2, `${origin.requests.length} requests`);
});

test('head of a large file does not fetch it, and who reads on later gets the rest', async t => {
	const {mount, origin} = await startDrive(t);
	const large: Behaviour = {...RANGES, size: 64 * MIB};
	const url = origin.serve('/large', {...large, sequence: [{...large, rate: 40 * MIB}]});
	t.is((await sh('head -c 100 "$1" | sha256sum', mount.path(url))).stdout.slice(0, 64), sha256(BODY.subarray(0, 100)));
	let paused: State | undefined;
	await until('it is paused', async () => {
		const text = await readFile(path.join(mount.directory, 'downloads.json'), 'utf8');
		paused = (JSON.parse(text) as State[])[0];
		return paused?.state === 'paused';
	});
	t.true((paused?.bytes ?? Infinity) < 48 * MIB, `${paused?.bytes}`);
	t.is((await mount.stats())['downloads_running'], 0);
	t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(generatedBody(64 * MIB)));
	t.is(origin.requests.filter(({headers}) => headers.range === undefined).length, 1);
});

interface State {
	readonly state: string;
	readonly bytes: number;
}

testWith(
	['ffmpeg', 'mpv'],
	'a film whose index is at its end plays from the middle while its beginning does not go on',
	async t => {
		const {mount, origin} = await startDrive(t);
		const film = path.join(await workDirectory(t), 'film.mp4');
		const made = await run('ffmpeg', [
			...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=25', '-t', '8'],
			...['-c:v', 'mpeg4', '-q:v', '1', film],
		]);
		t.is(made.code, 0, made.stderr);
		const body = await readFile(film);
		t.true(body.byteLength > 8 * MIB && body.indexOf('moov') > body.byteLength - MIB, `${body.byteLength}`);
		const behaviour: Behaviour = {body, ranges: true, etag: '"film"', type: 'video/mp4'};
		const url = origin.serve('/film.mp4', {...behaviour, sequence: [{...behaviour, stallAt: 500_000}]});
		const {code, stdout} = await run('mpv', [
			...['--no-config', '--vo=null', '--ao=null', '--start=60%', '--frames=3', '--term-status-msg=at ${=time-pos}'],
			mount.path(url),
		]);
		t.is(code, 0, stdout);
		// The first of them still stalls.
		t.true(origin.requests.length > 1);
	},
);
