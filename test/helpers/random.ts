/** Numbers of `[0, 1)` that a seed determines. */
export function randomFrom(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

/** The same values in another order (Fisher and Yates). */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
	const left = [...values];
	return values.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}
