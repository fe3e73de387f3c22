/**
 * The word of `words` that `word` was most likely meant to be: the fewest
 * letters to add, drop or change, and at most a third of them.
 * Case, `_` and `-` make no difference: `maxSize` -> `max-size`.
 */
export function closest(word: string, words: readonly string[]): string | undefined {
	const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, '');
	const wanted = plain(word);
	const ranked = words
		.map(candidate => ({candidate, edits: distance(wanted, plain(candidate))}))
		.sort((a, b) => a.edits - b.edits);
	const [best] = ranked;
	return best && best.edits <= wanted.length / 3 ? best.candidate : undefined;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
	let row = Array.from({length: b.length + 1}, (_, index) => index);
	for (const [i, letter] of [...a].entries()) {
		const next = [i + 1];
		for (let j = 0; j < b.length; j++) {
			const change = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
			next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
		}

		row = next;
	}

	return row.at(-1) ?? 0;
}
