import cliProgress, {type SingleBar} from 'cli-progress';
import {formatSize} from '../base/units.js';

/** Something whose bytes arrive. */
export interface Arriving {
	readonly arrivedBytes: number;
	readonly sizeBytes: number;
}

/** Something that is gone through. */
export interface Counted {
	readonly done: number;
	/** As far as is known. */
	readonly total: number;
}

/** How a terminal shows what goes on; elsewhere nothing is shown. */
export interface Progress {
	/** Shows how `what` arrives, or how far it is done, while `work` runs. */
	during<T>(name: string, what: Arriving | Counted, work: () => Promise<T>): Promise<T>;
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

async function show<T>(bar: SingleBar, name: string, what: Arriving | Counted, work: () => Promise<T>): Promise<T> {
	const draw = () => {
		const {done, total} = countedOf(what);
		bar.setTotal(Math.max(1, total));
		bar.update(total === 0 ? 1 : Math.min(done, total), payload(name, what));
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

function payload(name: string, what: Arriving | Counted) {
	const format = 'done' in what ? formatCount : formatSize;
	const {done, total} = countedOf(what);
	return {name, arrived: format(done), size: format(total)};
}

function countedOf(what: Arriving | Counted): Counted {
	return 'done' in what ? what : {done: what.arrivedBytes, total: what.sizeBytes};
}

/** 1234567 -> `'1,234,567'` */
function formatCount(count: number): string {
	return count.toLocaleString('en');
}
