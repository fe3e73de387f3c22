import test from 'ava';
import {negotiate} from '../../../../src/transport/kernel/negotiate.js';
import {INIT_FLAGS, INIT_FLAGS_2} from '../../../../src/transport/kernel/protocol/flags.js';

/** Linux 6.18. */
const NEWEST = {major: 7, minor: 45, flags: 0x73_ff_ff_fb, flags2: 0x7ff, max_readahead: 131_072};

test('of what a kernel offers the drive takes what it uses, and nothing else', t => {
	const agreement = negotiate(NEWEST, true);
	t.like(agreement, {major: 7, minor: 40, max_pages: 256, max_write: 1024 * 1024, max_readahead: 131_072});
	const flags = agreement?.flags ?? 0;
	for (const flag of ['PARALLEL_DIROPS', 'ASYNC_READ', 'READDIRPLUS_AUTO', 'ATOMIC_O_TRUNC', 'BIG_WRITES'] as const) {
		t.not(flags & INIT_FLAGS[flag], 0, flag);
	}

	t.is(flags & INIT_FLAGS.AUTO_INVAL_DATA, 0);
	t.is(flags & ~Object.values(INIT_FLAGS).reduce((all, flag) => all | flag), 0);
});

test('files that the kernel reads by itself are agreed on where it offers that and it is wanted', t => {
	t.like(negotiate(NEWEST, true), {flags2: INIT_FLAGS_2.PASSTHROUGH, max_stack_depth: 1});
	t.not((negotiate(NEWEST, true)?.flags ?? 0) & INIT_FLAGS.INIT_EXT, 0);
	const without = {flags2: 0, max_stack_depth: 0};
	t.like(negotiate(NEWEST, false), without);
	t.is((negotiate(NEWEST, false)?.flags ?? 0) & INIT_FLAGS.INIT_EXT, 0);
	t.like(negotiate({...NEWEST, flags2: NEWEST.flags2 & ~INIT_FLAGS_2.PASSTHROUGH}, true), without);
	t.like(negotiate({...NEWEST, flags: NEWEST.flags & ~INIT_FLAGS.INIT_EXT}, true), without);
});

test('an older kernel gets what it offers, in its version', t => {
	const agreement = negotiate({...NEWEST, minor: 27, flags: INIT_FLAGS.ATOMIC_O_TRUNC | INIT_FLAGS.ASYNC_READ}, true);
	t.like(agreement, {minor: 27, max_pages: 32, max_write: 131_072});
	t.is(agreement?.flags, INIT_FLAGS.ATOMIC_O_TRUNC | INIT_FLAGS.ASYNC_READ);
});

test('a kernel that is too old is told from one that is too new', t => {
	t.throws(() => negotiate({...NEWEST, minor: 26}, true), {
		message: 'this kernel speaks FUSE 7.26, and 7.27 (Linux 4.18) is needed',
	});
	t.throws(() => negotiate({...NEWEST, major: 6}, true), {message: /speaks FUSE 6\.45/});
	t.is(negotiate({...NEWEST, major: 8}, true), undefined);
});

test('a kernel that cannot tell a put from a download is refused', t => {
	t.throws(() => negotiate({...NEWEST, flags: NEWEST.flags & ~INIT_FLAGS.ATOMIC_O_TRUNC}, true), {
		message: /open and truncate/,
	});
});
