/** The drive cannot be mounted or unmounted: one line for a person, with what to do about it; exit code 1. */
export class MountError extends Error {
	override readonly name = 'MountError';
	readonly exitCode = 1;
}
