import {constants} from 'node:os';

const {errno} = constants;

/** What can be wrong with a request, and what its caller is told: positive, as in errno(3). */
const ERRNO = {
	/** It ends before what it should hold. */
	'truncated': errno.EIO,
	/** It goes on after what it should hold. */
	'oversized': errno.EIO,
	/** Its parts do not fit together: lengths, names without an end. */
	'inconsistent': errno.EIO,
	/** A number that no file of ours reaches. */
	'out-of-range': errno.EINVAL,
	/** A name that is no text. */
	'not-text': errno.ENOENT,
	/** A node that was never given, or was forgotten. */
	'unknown-node': errno.ESTALE,
} as const;

/** A request that is not as `linux/fuse.h` has it. Never thrown for what a user of the drive does. */
export class ProtocolError extends Error {
	override readonly name = 'ProtocolError';

	constructor(
		readonly code: keyof typeof ERRNO,
		message: string,
	) {
		super(message);
	}

	get errno(): number {
		return ERRNO[this.code];
	}
}
