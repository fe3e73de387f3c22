import {constants} from 'node:os';
import test from 'ava';
import {CacheError, ERROR_CODES} from '../../../src/base/errors.js';
import {errnoOf} from '../../../src/fs/errno.js';

const {errno} = constants;

test('every failure has an errno, and none is the one that stops the kernel from asking', t => {
	for (const code of ERROR_CODES) {
		const number = errnoOf(new CacheError(code, ''));
		t.true(Number.isInteger(number) && number > 0 && number !== errno.ENOSYS, code);
	}
});

test('the errno of a failure is what a program makes sense of', t => {
	const expected = {
		'not-found': errno.ENOENT,
		'bad-name': errno.ENOENT,
		'origin-refused': errno.EACCES,
		'too-large': errno.EFBIG,
		'no-space': errno.ENOSPC,
		'deadline': errno.ETIMEDOUT,
		'origin-timeout': errno.ETIMEDOUT,
		'origin-unreachable': errno.EHOSTUNREACH,
		'origin-failed': errno.EIO,
		'corrupt-entry': errno.EIO,
		'aborted': errno.EINTR,
		'not-permitted': errno.EPERM,
		'read-only': errno.EROFS,
		'unsupported': errno.EOPNOTSUPP,
	} as const;
	for (const [code, number] of Object.entries(expected))
		t.is(errnoOf(new CacheError(code as keyof typeof expected, '')), number, code);
});

test('what nobody expected is EIO', t => {
	for (const thrown of [new Error('x'), Object.assign(new Error('x'), {code: 'ENOENT'}), undefined, 'text']) {
		t.is(errnoOf(thrown), errno.EIO);
	}
});
