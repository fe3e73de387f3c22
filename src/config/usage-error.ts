/** The user asked for something that cannot be: one sentence for a person, exit code 2. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
	readonly exitCode = 2;
}
