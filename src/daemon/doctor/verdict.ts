import type {Config} from '../../config/load.js';
import type {Surroundings} from '../../config/xdg.js';
import type {Offered} from '../../transport/kernel/probe.js';
import type {Host} from '../host.js';

/** With a `problem` a mount would fail; a `warning` is something that it does without. */
export type Level = 'ok' | 'warning' | 'problem';

export interface Verdict {
	readonly level: Level;
	/** One sentence, and what to do about it where something is amiss. */
	readonly says: string;
}

/** What is looked at. */
export interface Subject {
	readonly host: Host;
	readonly surroundings: Surroundings;
	readonly config: Config;
	/** What a trial mount has shown, once for all who ask. @throws Error where it failed. */
	trial(): Promise<Offered>;
}

/** An error that it throws is a problem, in its words. */
export type Check = (subject: Subject) => Verdict | Promise<Verdict>;

export function ok(says: string): Verdict {
	return {level: 'ok', says};
}

export function warning(says: string): Verdict {
	return {level: 'warning', says};
}

export function problem(says: string): Verdict {
	return {level: 'problem', says};
}
