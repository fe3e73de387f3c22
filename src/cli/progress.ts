import cliProgress, {type SingleBar} from 'cli-progress';
import {formatSize} from '../base/units.js';

/** Something whose bytes arrive. */
export interface Arriving {
	readonly arrivedBytes: number;
	readonly sizeBytes: number;
}

/** How a terminal shows what goes on; elsewhere nothing is shown. */
export interface Progress {
	/** Shows how `what` arrives while `work` runs. */
	during<T>(name: string, what: Arriving, work: () => Promise<T>): Promise<T>;
	/** Prints a line above what is shown. */
	print(line: string): void;
	stop(): void;
}

const REDRAW_EVERY_MS = 100;

export function createProgress(stream: NodeJS.WriteStream): Progress {
	if (!stream.isTTY)
		return {during: (_name, _what, work) => work(), print: line => stream.write(`${line}\n`), stop() {}};
	const bars = new cliProgress.MultiBar({
		stream,
		format: '{bar} {percentage}% {arrived}/{size} {name}',
		hideCursor: true,
		forceRedraw: true,
		noTTYOutput: false,
	});
	return {
		during: (name, what, work) => show(bars.create(1, 0, payload(name, what)), name, what, work),
		print: line => bars.log(`${line}\n`),
		stop: () => bars.stop(),
	};
}

async function show<T>(bar: SingleBar, name: string, what: Arriving, work: () => Promise<T>): Promise<T> {
	const draw = () => {
		bar.setTotal(Math.max(1, what.sizeBytes));
		bar.update(what.sizeBytes === 0 ? 1 : what.arrivedBytes, payload(name, what));
	};

	const timer = setInterval(draw, REDRAW_EVERY_MS);
	try {
		return await work();
	} finally {
		clearInterval(timer);
		draw();
		bar.stop();
	}
}

function payload(name: string, {arrivedBytes, sizeBytes}: Arriving) {
	return {name, arrived: formatSize(arrivedBytes), size: formatSize(sizeBytes)};
}
