import {constants} from 'node:os';
import {CacheError, type ErrorCode} from '../base/errors.js';

const {errno} = constants;

/** What a reader sees. Positive, as in errno(3). */
const ERRNO = {
	'aborted': errno.EINTR,
	'bad-name': errno.ENOENT, // not a URL we could hold: to a reader it is a file that is not there
	'busy': errno.EBUSY,
	'corrupt-entry': errno.EIO,
	'deadline': errno.ETIMEDOUT,
	'no-space': errno.ENOSPC,
	'not-found': errno.ENOENT, // origin answered 404 or 410
	'not-permitted': errno.EPERM,
	'not-stored': errno.ENOENT,
	'origin-failed': errno.EIO,
	'origin-refused': errno.EACCES, // 401, 403, 451, or denied by policy
	'origin-timeout': errno.ETIMEDOUT,
	'origin-unreachable': errno.EHOSTUNREACH,
	'read-only': errno.EROFS,
	'replaced': errno.ESTALE, // the VFS looks the name up again, and opens what it finds
	'too-large': errno.EFBIG,
	'unsupported': errno.EOPNOTSUPP, // ENOSYS would make the kernel stop asking for the whole mount
} satisfies Record<ErrorCode, number>;

/** The errno of a failure; EIO for one that nobody expected. */
export function errnoOf(error: unknown): number {
	return error instanceof CacheError ? ERRNO[error.code] : errno.EIO;
}
