import {open, readFile} from 'node:fs/promises';
import {run} from '../helpers/run.js';

/** An 8 second film in 720p, with its index (`moov`) at the end. */
const FFMPEG = [
	...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=25', '-t', '8'],
	...['-c:v', 'mpeg4', '-q:v', '1'],
];

/**
 * Makes an MP4 of `sizeBytes` whose index is at its end: a short film, and a
 * hole within the box of its frames (`mdat`), which therefore stay where the
 * index says they are.
 */
export async function makeFilm(file: string, sizeBytes: number): Promise<void> {
	const {code, stderr} = await run('ffmpeg', [...FFMPEG, file], {deadlineMs: 60_000});
	if (code !== 0) throw new Error(`ffmpeg failed: ${stderr}`);
	const film = await readFile(file);
	const [frames, index] = [boxOf(film, 'mdat'), boxOf(film, 'moov')];
	if (index.start < frames.start || index.end !== film.length) throw new Error('the index is not at the end');
	const holeBytes = sizeBytes - film.length;
	const length = Buffer.alloc(4);
	length.writeUInt32BE(frames.end - frames.start + holeBytes);
	const handle = await open(file, 'r+');
	await handle.write(length, 0, 4, frames.start);
	await handle.truncate(frames.end);
	await handle.write(film, index.start, undefined, index.start + holeBytes);
	await handle.close();
}

/** Where a box at the top of an MP4 is: 32 bits of length, big endian, and four letters (ISO/IEC 14496-12). */
function boxOf(film: Buffer, type: string): {readonly start: number; readonly end: number} {
	for (let start = 0; start + 8 <= film.length;) {
		const end = start + film.readUInt32BE(start);
		if (film.toString('latin1', start + 4, start + 8) === type) return {start, end};
		if (end < start + 8) break;
		start = end;
	}

	throw new Error(`there is no ${type}`);
}
