/**
 * The program that one conversion runs in. It gets a `Conversion` over the IPC
 * channel and answers with a `RunnerAnswer`. When the channel closes, because
 * the answer arrived or because the parent is gone, it ends, and ffmpeg with
 * it. It leads a process group of its own.
 */
import {getPriority, setPriority} from 'node:os';
import {messageOf} from '../base/errors.js';
import {transcode, type Conversion} from './ffmpeg.js';
import {killGroup} from './process-group.js';

export type RunnerAnswer = {readonly printed: string} | {readonly failure: string};

/** A conversion gives way to whoever reads the drive. */
const NICENESS = 10;

function answer(message: RunnerAnswer): void {
	process.send?.(message);
}

process.once('disconnect', () => {
	killGroup(process.pid);
	process.exit();
});
process.once('uncaughtException', error => answer({failure: `ffmpeg could not be run: ${error.message}`}));
process.once('message', (conversion: Conversion) => {
	setPriority(Math.max(NICENESS, getPriority()));
	transcode(conversion).then(
		printed => answer({printed}),
		(error: unknown) => answer({failure: messageOf(error)}),
	);
});
