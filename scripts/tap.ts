/** Reads ava's TAP as it arrives, and adds suites up. */

export interface Counts {
	readonly passed: number;
	readonly failed: number;
	readonly skipped: number;
}

export const NO_TESTS: Counts = {passed: 0, failed: 0, skipped: 0};

/** One test as ava reported it. `diagnostic` is its log and its error as printed, without the result line. */
export interface TapResult {
	readonly title: string;
	readonly outcome: keyof Counts;
	readonly diagnostic: string;
}

/**
 * A reader of TAP version 13 as ava 7 writes it: result lines at the margin,
 * log lines (`#   `) and the error (`---` to `...`) indented below them.
 *
 * A test marked todo counts as skipped. Failures that ava only counts (tests
 * that a dying file never reported) are found in its last lines.
 */
export class TapReader {
	readonly results: TapResult[] = [];
	/** Whether the plan arrived, which ava writes last: without it the run was cut short. */
	complete = false;

	readonly #onResult: (result: TapResult) => void;
	#open: {title: string; outcome: keyof Counts; lines: string[]} | undefined;
	#todo = 0;
	#failuresCounted = 0;

	constructor(onResult: (result: TapResult) => void = () => undefined) {
		this.#onResult = onResult;
	}

	/** One line, without its line break. */
	line(text: string): void {
		const result = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO))?$/.exec(text);
		if (result) {
			const [, not, title = '', directive] = result;
			this.end();
			if (directive === 'TODO') this.#todo++;
			this.#open = {title, outcome: directive ? 'skipped' : not ? 'failed' : 'passed', lines: []};
		} else if (/^( {2}|# {3})/.test(text) || (text === '' && !this.complete)) {
			this.#open?.lines.push(text);
		} else {
			this.end();
			this.complete ||= /^1\.\.\d+$/.test(text);
			this.#failuresCounted = Number(/^# fail (\d+)$/.exec(text)?.[1] ?? this.#failuresCounted);
		}
	}

	/** No more lines: hands on the last result. */
	end(): void {
		if (!this.#open) return;
		const {title, outcome, lines} = this.#open;
		this.#open = undefined;
		const result = {title, outcome, diagnostic: lines.join('\n').trimEnd()};
		this.results.push(result);
		this.#onResult(result);
	}

	counts(): Counts {
		const count = (outcome: keyof Counts) => this.results.filter(result => result.outcome === outcome).length;
		const failed = Math.max(count('failed'), this.#failuresCounted - this.#todo);
		return {passed: count('passed'), failed, skipped: count('skipped')};
	}
}

export function add(a: Counts, b: Counts): Counts {
	return {passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped};
}

/** `'12 passed, 0 failed'`, and `', 3 skipped'` when there are any. */
export function summary({passed, failed, skipped}: Counts): string {
	return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : '');
}
