/**
 * A program that is an `Origin`, of which the process that forked it says what
 * it serves: `fork('origin-process.js')`.
 *
 * @see forked-origin.ts, its other end
 */
import {doAsTold} from './do-as-told.js';
import {Origin, type Behaviour, type OriginOptions} from './origin.js';

let origin: Origin | undefined;

/** What was asked for and sent so far. */
export interface Counts {
	readonly requests: number;
	/** As `Origin.bytesSent` counts them. */
	readonly bytesSent: number;
}

const commands = {
	async start(options: OriginOptions) {
		origin = await Origin.start(options);
		return origin.url('');
	},
	serve: (path: string, behaviour: Behaviour) => void origin?.serve(path, behaviour),
	/** Of one path, asked for with this very query; or of all. */
	counts(path?: string): Counts {
		if (path === undefined) return {requests: origin?.requests.length ?? 0, bytesSent: origin?.bytesSent ?? 0};
		return {requests: origin?.requestsOf(path).length ?? 0, bytesSent: origin?.bytesSentOf(path) ?? 0};
	},
	disconnected: () => origin?.disconnected(),
};

export type Commands = typeof commands;

doAsTold(commands);
