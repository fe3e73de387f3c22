import {rm, stat} from 'node:fs/promises';
import path from 'node:path';
import type {FfmpegFinder} from './find-ffmpeg.js';
import {summarizeGif, type GifSummary} from './gif.js';
import {runFfmpeg} from './run-ffmpeg.js';
import {isGif} from './sniff.js';
import {Slots} from './slots.js';
import type {Transform} from './transform.js';

export interface GifToMp4Options {
	readonly finder: FfmpegFinder;
	/** How long one conversion may take, in ms. */
	readonly timeoutMs: number;
	/** The PATH that ffmpeg sees. */
	readonly searchPath: string;
}

/** Each has two encoding threads; more would only slow the readers of the drive. */
const AT_ONCE = 2;

/**
 * H.264 level 5.2, the last that common hardware decodes: 36,864 macroblocks of
 * 16 x 16, a side of at most the root of 8 times as many (ITU-T H.264 table A-1
 * and A.3.1). ffmpeg needs 600 MB of memory for that.
 */
const MOST_PIXELS = 36_864 * 16 * 16;
const LONGEST_SIDE = 543 * 16;

/** An MP4 that outgrows its GIF so far is no gain: ffmpeg stops there, and the GIF is kept. */
const MOST_GROWTH = 4;
const SMALLEST_LIMIT_BYTES = 1024 * 1024;

/** GIF counts time in 1/100 s. Browsers and ffmpeg alike show a frame of less than 2 of them for 10. */
const TICKS_PER_SECOND = 100;
const SHORTEST_DELAY = 2;
const DEFAULT_DELAY = 10;

/**
 * GIF to MP4: H.264, yuv420p, one frame for each of the GIF's and at the same
 * times, the last one's duration included. An odd side loses its last pixel row
 * or column; a side of one pixel is doubled. What is transparent becomes white.
 * The index stands before the media data, so that a player can begin at once.
 *
 * A GIF that is cut short, or of which ffmpeg makes another number of frames, is
 * refused: the MP4 would show less than the GIF.
 */
export class GifToMp4 implements Transform {
	readonly name = 'gif-to-mp4';
	readonly #slots = new Slots(AT_ONCE);

	constructor(private readonly options: GifToMp4Options) {}

	appliesTo(head: Uint8Array): boolean {
		return isGif(head);
	}

	async run(input: string, output: string, signal: AbortSignal): Promise<{mimetype: string; extension: string}> {
		await this.#slots.run(signal, () => this.#convert(path.resolve(input), path.resolve(output), signal));
		return {mimetype: 'video/mp4', extension: '.mp4'};
	}

	async #convert(input: string, output: string, signal: AbortSignal): Promise<void> {
		const {finder, timeoutMs, searchPath} = this.options;
		const gif = await summarizeGif(input);
		refuseUnfit(gif);
		const limitBytes = Math.max(SMALLEST_LIMIT_BYTES, MOST_GROWTH * (await stat(input)).size);
		const binary = await finder.find();
		const conversion = {
			...{binary, input, inputOptions: INPUT_OPTIONS},
			...{output, outputOptions: outputOptions(gif, limitBytes)},
		};
		const printed = await runFfmpeg(conversion, {timeoutMs, searchPath, signal});
		const frames = framesWritten(printed);
		if (frames === gif.frames) return;
		await rm(output, {force: true});
		throw new Error(`ffmpeg wrote ${frames} of the GIF's ${gif.frames} frames into ${limitBytes} bytes at most`);
	}
}

function refuseUnfit({width, height}: GifSummary): void {
	const fits = width > 0 && height > 0 && Math.max(width, height) <= LONGEST_SIDE && width * height <= MOST_PIXELS;
	if (!fits) throw new Error(`a GIF of ${width}x${height} pixels cannot be converted`);
}

/** `-progress` prints a block of lines every half second; the last one has the final count. */
function framesWritten(printed: string): number {
	return Number([...printed.matchAll(/^frame=\s*(\d+)$/gm)].at(-1)?.[1] ?? 0);
}

/** The input is not trusted: no other demuxer, no other protocol, nothing read from a terminal. */
const INPUT_OPTIONS = [
	...['-hide_banner', '-nostdin', '-loglevel', 'error'],
	...['-protocol_whitelist', 'file,pipe', '-f', 'gif', '-threads', '1'],
	...['-min_delay', `${SHORTEST_DELAY}`, '-default_delay', `${DEFAULT_DELAY}`],
];

/**
 * Valid from ffmpeg 5.1 on.
 *
 * - Encoder and track count in 1/100 s, so every time stamp is exact. One scale
 *   for all also keeps `setts` right: ffmpeg 5.1 tells it the encoder's scale
 *   while the packets already are in the track's.
 * - `setts` gives the last frame its duration, which ffmpeg 5.1 forgets; of the
 *   others MP4 keeps only the time of the next. Without B-frames the last frame
 *   written is the last one shown.
 * - A GIF's colours are sRGB; without a tag players guess from the height.
 */
function outputOptions(gif: GifSummary, limitBytes: number): string[] {
	const lastDelay = gif.lastDelay < SHORTEST_DELAY ? DEFAULT_DELAY : gif.lastDelay;
	return [
		...['-xerror', '-nostats', '-progress', 'pipe:1', '-filter_threads', '1'],
		...['-map', '0:v:0', '-map_metadata', '-1', '-map_chapters', '-1'],
		...['-fflags', '+bitexact', '-flags:v', '+bitexact'],
		...['-vf', filters(gif), '-fps_mode', 'passthrough'],
		...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-bf', '0', '-threads', '2'],
		...['-enc_time_base', `1/${TICKS_PER_SECOND}`, '-video_track_timescale', `${TICKS_PER_SECOND}`],
		...['-bsf:v', `setts=duration=${lastDelay}`],
		...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'iec61966-2-1', '-color_range', 'tv'],
		...['-movflags', '+faststart', '-fs', `${limitBytes}`, '-f', 'mp4'],
	];
}

/** ffmpeg decodes a transparent pixel as white with an alpha of 0; dropping the alpha leaves white. */
function filters({width, height}: GifSummary): string {
	const [wide, high] = [Math.max(2, width), Math.max(2, height)];
	const enlarged = wide === width && high === height ? [] : [`scale=${wide}:${high}:flags=neighbor`, 'format=bgra'];
	const even = `crop=${wide - (wide % 2)}:${high - (high % 2)}:0:0`;
	return [...enlarged, even, 'scale=out_color_matrix=bt709:out_range=tv', 'format=yuv420p'].join(',');
}
