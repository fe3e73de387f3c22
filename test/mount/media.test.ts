import test from 'ava';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {contentsOf, fetchAll, sha256, startDrive, testWith, workDirectory} from '../helpers/drive.js';
import {gif} from '../helpers/gif.js';
import {run} from '../helpers/run.js';

const PLAYERS = ['ffmpeg', 'ffprobe', 'mpv'];

const DEADLINE = {deadlineMs: 60_000};

function ffprobe(file: string) {
	const args = ['-v', 'error', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', file];
	return run('ffprobe', args, DEADLINE);
}

/** Plays it to its end, as fast as it can be decoded. */
function mpv(file: string) {
	return run('mpv', ['--no-config', '--vo=null', '--ao=null', '--untimed', '--no-terminal', file], DEADLINE);
}

for (const [where, flags] of [
	['last', []],
	['first', ['-movflags', '+faststart']],
] as const) {
	testWith(
		PLAYERS,
		`ffprobe and mpv play an MP4 whose moov comes ${where}, cold and warm, with one request`,
		async t => {
			const {mount, origin} = await startDrive(t);
			const made = path.join(await workDirectory(t), 'film.mp4');
			const picture = ['-f', 'lavfi', '-i', 'testsrc2=duration=4:size=640x360:rate=25'];
			const sound = ['-f', 'lavfi', '-i', 'sine=duration=4'];
			const encoding = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '18', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
			const encoded = await run('ffmpeg', ['-v', 'error', ...picture, ...sound, ...encoding, ...flags, made], DEADLINE);
			t.is(encoded.code, 0, encoded.stderr);
			const film = await readFile(made);
			t.is(film.indexOf('moov') < film.indexOf('mdat'), where === 'first');

			for (const [program, play] of Object.entries({ffprobe, mpv})) {
				const url = origin.serve(`/${program}.mp4`, {body: film, type: 'video/mp4', rate: 4_000_000});
				for (const state of ['cold', 'warm']) {
					const {code, stdout, stderr} = await play(mount.path(url));
					t.is(code, 0, `${program}, ${state}: ${stdout}${stderr}`);
					if (program === 'ffprobe') t.is(stdout, 'h264,640,360\naac\n');
				}

				t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(film));
				t.is(origin.requestsOf(`/${program}.mp4`).length, 1);
			}
		},
	);
}

testWith(PLAYERS, `a GIF of the origin is read as an MP4 of the same frames, under its own URL`, async t => {
	const {mount, origin} = await startDrive(t);
	const frames = Array.from({length: 10}, (_, index) => ({delay: 10, color: index % 3}));
	const body = gif({width: 33, height: 20, frames});
	const url = origin.serve('/cat.gif', {body, type: 'image/gif'});
	for (const state of ['cold', 'warm']) {
		t.is((await ffprobe(mount.path(url))).stdout, 'h264,32,20\n', state);
	}

	t.is((await mpv(mount.path(url))).code, 0);
	await fetchAll(mount, url);
	const count = ['-v', 'error', '-count_frames', '-show_entries', 'stream=nb_read_frames', '-of', 'csv=p=0'];
	t.is((await run('ffprobe', [...count, mount.path(url)])).stdout.trim(), '10');
	const sidecar = await readFile(path.join(mount.cacheDir, `${sha256(url)}.json`), 'utf8');
	t.like(JSON.parse(sidecar), {url, mimetype: 'video/mp4', filename: 'cat.mp4', origin: {length: body.length}});
	t.deepEqual((await contentsOf(mount.cacheDir)).leftovers, []);
	t.is(origin.requests.length, 1);
});

test('with --no-reencode-gif a GIF is read as it came', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--no-reencode-gif']});
	const body = gif({width: 8, height: 8, frames: [{delay: 10}, {delay: 10, color: 1}]});
	const url = origin.serve('/as-it-is.gif', {body, type: 'image/gif'});
	t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(body));
});
