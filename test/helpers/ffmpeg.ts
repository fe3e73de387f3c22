/** Real and fake ffmpegs, and what came out of them. */
import test, {type ExecutionContext} from 'ava';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {NO_LOG} from '../../src/base/log.js';
import {createTransforms, type Transform, type TransformOptions} from '../../src/media/transforms.js';

export const FFMPEG = '/usr/bin/ffmpeg';
const FFPROBE = '/usr/bin/ffprobe';

/** A test that needs the system's ffmpeg; where there is none it is skipped, and says why. */
export function testWithFfmpeg(title: string, body: (t: ExecutionContext) => Promise<void>): void {
	if (existsSync(FFMPEG) && existsSync(FFPROBE)) test(title, body);
	else test.skip(`${title} (skipped: no ${FFMPEG} and ffprobe here)`, body);
}

/** GIF to MP4 as the drive has it, with a deadline of 20 s. */
export function gifToMp4(options: Partial<TransformOptions> = {}): Transform {
	const defaults = {reencodeGif: true, ffmpegPath: undefined, timeoutMs: 20_000, log: NO_LOG};
	const [transform] = createTransforms({...defaults, ...options});
	if (transform === undefined) throw new Error('it is switched off');
	return transform;
}

/** A signal that never fires. */
export function never(): AbortSignal {
	return new AbortController().signal;
}

/** A directory that goes with the test. */
export function scratch(t: ExecutionContext): string {
	const directory = mkdtempSync(path.join(tmpdir(), 'larder-media-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
}

/** What a working ffmpeg says when it is probed, and when fluent-ffmpeg asks for its formats and encoders. */
const ANSWERS = `
*-version*) echo 'ffmpeg version 0-fake'; echo 'configuration: --enable-libx264'; exit 0;;
*-formats*) echo ' D  gif  GIF'; echo '  E mp4  MP4'; exit 0;;
*-encoders*) echo ' V....D libx264  H.264'; [ ! -e "$0.mortal" ] || /bin/rm "$0"; exit 0;;
`;

/**
 * A shell script that answers a probe as ffmpeg does, then runs `body` in the
 * place of a conversion; `$last` is the output. With a file `ffmpeg.mortal`
 * beside it, it removes itself right before the conversion.
 */
export function fakeFfmpeg(directory: string, body: string, answers?: string): string {
	const file = path.join(directory, 'ffmpeg');
	const first = answers ?? `for last; do :; done\ncase "$*" in ${ANSWERS} esac`;
	writeFileSync(file, `#!/bin/sh\n${first}\n${body}\n`, {mode: 0o755});
	return file;
}

/** The body of a fake that leaves its pid and that of a child in `pids`, starts an output and never ends. */
export function hang(pids: string): string {
	return `echo partial > "$last"; /bin/sleep 1000 & echo $$ $! $PPID > '${pids}.new'; /bin/mv '${pids}.new' '${pids}'; wait`;
}

/** The pids that a hanging fake left, once it has. */
export async function pidsIn(file: string): Promise<number[]> {
	for (let look = 0; look < 1000 && !existsSync(file); look++) await delay(10);
	return readFileSync(file, 'utf8').trim().split(' ').map(Number);
}

/** Whether `pid` has ended; one that is not reaped yet has. */
export function hasEnded(pid: number): boolean {
	try {
		return /^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
	} catch {
		return true;
	}
}

/** Whether all of `pids` end within 5 s; kills them if not. */
export async function allEnd(pids: readonly number[]): Promise<boolean> {
	for (let look = 0; look < 500; look++) {
		if (pids.every(hasEnded)) return true;
		await delay(10);
	}

	for (const pid of pids.filter(each => !hasEnded(each))) process.kill(pid, 'SIGKILL');
	return false;
}

export interface Packet {
	readonly pts: string;
	readonly duration: string;
}

/** When each frame is shown and for how long, in seconds, in the order of the file. */
export function timesOf(file: string): Packet[] {
	const rows = ffprobe(file, '-show_entries', 'packet=pts_time,duration_time', '-of', 'csv=p=0').trim().split('\n');
	return rows.map(row => {
		const [pts = '', duration = ''] = row.split(',');
		return {pts, duration};
	});
}

export type Facts = Readonly<Record<string, string>>;

/** What ffprobe says of the first stream and of the container, frames counted by decoding all of them. */
export function factsOf(file: string): Facts {
	const text = ffprobe(file, '-count_frames', '-show_streams', '-show_format', '-of', 'flat=s=_');
	const facts: Record<string, string> = {};
	for (const [, key = '', value = ''] of text.matchAll(/^(?:streams_stream_0_|format_)(\w+)="?(.*?)"?$/gm)) {
		facts[key] ??= value;
	}

	return facts;
}

function ffprobe(file: string, ...args: string[]): string {
	return execFileSync(FFPROBE, ['-v', 'error', ...args, file], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']});
}

/** The frames' top left pixels as `rrggbb`. */
export function topLeftPixels(file: string): string[] {
	const one = ['-vf', 'crop=2:2:0:0,scale=1:1', '-fps_mode', 'passthrough', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
	const raw = execFileSync(FFMPEG, ['-v', 'error', '-i', file, ...one], {stdio: ['ignore', 'pipe', 'ignore']});
	return raw.toString('hex').match(/.{6}/g) ?? [];
}

/** The names of an MP4's top level boxes, in order (ISO/IEC 14496-12 section 4.2). */
export function boxesOf(file: string): string[] {
	const bytes = readFileSync(file);
	const names: string[] = [];
	for (let at = 0; at + 8 <= bytes.length;) {
		const size = bytes.readUInt32BE(at);
		names.push(bytes.toString('latin1', at + 4, at + 8));
		at += size >= 8 ? size : bytes.length;
	}

	return names;
}
