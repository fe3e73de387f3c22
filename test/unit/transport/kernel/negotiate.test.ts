import test from 'ava';
import {negotiate} from '../../../../src/transport/kernel/negotiate.js';
import {INIT_FLAGS} from '../../../../src/transport/kernel/protocol/flags.js';

/** Linux 6.18. */
const NEWEST = {major: 7, minor: 45, flags: 0x73_ff_ff_fb, max_readahead: 131_072};

test('of what a kernel offers the drive takes what it uses, and nothing else', t => {
	const agreement = negotiate(NEWEST);
	t.like(agreement, {major: 7, minor: 40, max_pages: 256, max_write: 1024 * 1024, max_readahead: 131_072});
	const flags = agreement?.flags ?? 0;
	for (const flag of ['PARALLEL_DIROPS', 'ASYNC_READ', 'READDIRPLUS_AUTO', 'ATOMIC_O_TRUNC', 'BIG_WRITES'] as const) {
		t.not(flags & INIT_FLAGS[flag], 0, flag);
	}

	t.is(flags & INIT_FLAGS.AUTO_INVAL_DATA, 0);
	t.is(flags & ~Object.values(INIT_FLAGS).reduce((all, flag) => all | flag), 0);
});

test('an older kernel gets what it offers, in its version', t => {
	const agreement = negotiate({...NEWEST, minor: 27, flags: INIT_FLAGS.ATOMIC_O_TRUNC | INIT_FLAGS.ASYNC_READ});
	t.like(agreement, {minor: 27, max_pages: 32, max_write: 131_072});
	t.is(agreement?.flags, INIT_FLAGS.ATOMIC_O_TRUNC | INIT_FLAGS.ASYNC_READ);
});

test('a kernel that is too old is told from one that is too new', t => {
	t.throws(() => negotiate({...NEWEST, minor: 26}), {
		message: 'this kernel speaks FUSE 7.26, and 7.27 (Linux 4.18) is needed',
	});
	t.throws(() => negotiate({...NEWEST, major: 6}), {message: /speaks FUSE 6\.45/});
	t.is(negotiate({...NEWEST, major: 8}), undefined);
});

test('a kernel that cannot tell a put from a download is refused', t => {
	t.throws(() => negotiate({...NEWEST, flags: NEWEST.flags & ~INIT_FLAGS.ATOMIC_O_TRUNC}), {
		message: /open and truncate/,
	});
});
