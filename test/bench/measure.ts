/** How things are compared: side by side in one run, several times, by the median. */

/** Seconds of a processor. */
export interface Cpu {
	readonly user: number;
	readonly system: number;
}

/** One run of one subject. */
export interface Sample {
	readonly seconds: number;
	/** Of the process that serves, where somebody looked. */
	readonly cpu?: Cpu;
	/** The most memory that this process has had so far, since its start. */
	readonly peakRssBytes?: number;
	/** What the origin was asked, and what it sent of bodies, where somebody counted. */
	readonly requests?: number;
	readonly sentBytes?: number;
}

/** What is compared, by name, in the order in which a round runs it. */
export type Subjects = Readonly<Record<string, (round: number) => Promise<Sample>>>;

/** For each subject its samples, round by round. */
export type Runs = Readonly<Record<string, readonly Sample[]>>;

/**
 * Runs A B C, A B C, …: what disturbs the machine for a while disturbs all of
 * them. A round before the first is not counted.
 */
export async function interleave(subjects: Subjects, rounds: number): Promise<Runs> {
	const runs: Record<string, Sample[]> = {};
	for (let round = 0; round <= rounds; round++) {
		for (const [name, run] of Object.entries(subjects)) {
			const sample = await run(round);
			if (round > 0) (runs[name] ??= []).push(sample);
		}
	}

	return runs;
}

export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] ?? NaN;
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function secondsOf(runs: Runs, subject: string): number[] {
	return (runs[subject] ?? []).map(({seconds}) => seconds);
}

/** How many times as long a subject takes as another: the median over the rounds, each compared within itself. */
export function ratio(runs: Runs, subject: string, reference: string): number {
	const references = secondsOf(runs, reference);
	return median(secondsOf(runs, subject).map((seconds, round) => seconds / (references[round] ?? NaN)));
}

/** All rounds together; undefined where nobody looked. */
export function cpuOf(runs: Runs, subject: string): Cpu | undefined {
	const samples = runs[subject] ?? [];
	if (samples.some(({cpu}) => cpu === undefined)) return undefined;
	const sum = (of: keyof Cpu) => samples.reduce((total, {cpu}) => total + (cpu?.[of] ?? 0), 0) / samples.length;
	return {user: sum('user'), system: sum('system')};
}

/** Undefined where nobody looked. */
export function peakRssBytesOf(runs: Runs, subject: string): number | undefined {
	const peaks = (runs[subject] ?? []).flatMap(({peakRssBytes}) => peakRssBytes ?? []);
	return peaks.length === 0 ? undefined : Math.max(...peaks);
}
