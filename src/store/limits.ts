import {formatDuration, formatSize} from '../base/units.js';
import {isPolicyName, type PolicyName} from './policies.js';

/** What a directory may hold. It belongs to the directory: all that have it open keep to the same. */
export interface Limits {
	/** Bytes on the disk. */
	readonly maxBytes: number;
	readonly maxEntries: number;
	/** Milliseconds since an entry was stored. */
	readonly maxAgeMs: number;
	/** Bytes of the disk that are left to others. */
	readonly minFreeBytes: number;
	/** What leaves first. */
	readonly policy: PolicyName;
}

/** Where nobody has said anything. */
export const NO_LIMITS: Limits = {
	maxBytes: Infinity,
	maxEntries: Infinity,
	maxAgeMs: Infinity,
	minFreeBytes: 0,
	policy: 'least-recently-used',
};

/** Which limit made an entry leave. */
export type Reason = 'max-size' | 'max-entries' | 'max-age' | 'min-free';

/** As rows of text, for the catalogue. */
export function renderLimits(limits: Partial<Limits>): Array<[name: string, value: string]> {
	return Object.entries(limits).map(([name, value]) => [name, String(value)]);
}

/** Of rows of text those that say something. */
export function parseLimits(rows: Iterable<readonly [name: string, value: string]>): Partial<Limits> {
	const limits: Partial<Record<keyof Limits, unknown>> = {};
	for (const [name, value] of rows) {
		if (name === 'policy' && isPolicyName(value)) limits.policy = value;
		else if (isAmount(name) && Number(value) >= 0) limits[name] = Number(value);
	}

	return limits as Partial<Limits>;
}

function isAmount(name: string): name is Exclude<keyof Limits, 'policy'> {
	return name !== 'policy' && Object.hasOwn(NO_LIMITS, name);
}

/** `max size 10GB` */
export function describeLimit<N extends keyof Limits>(name: N, value: Limits[N]): string {
	const [words, format] = DESCRIPTIONS[name];
	return `${words} ${value === Infinity ? 'none' : format(value)}`;
}

const DESCRIPTIONS: {readonly [N in keyof Limits]: readonly [words: string, format: (value: Limits[N]) => string]} = {
	maxBytes: ['max size', formatSize],
	maxEntries: ['max entries', String],
	maxAgeMs: ['max age', formatDuration],
	minFreeBytes: ['min free', formatSize],
	policy: ['policy', String],
};

/** The names of those in `wanted` that `kept` has otherwise. */
export function conflicts(wanted: Partial<Limits>, kept: Partial<Limits>): Array<keyof Limits> {
	const names = Object.keys(wanted) as Array<keyof Limits>;
	return names.filter(name => name in kept && kept[name] !== wanted[name]);
}
