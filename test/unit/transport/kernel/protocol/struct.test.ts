import test from 'ava';
import fc from 'fast-check';
import {ProtocolError} from '../../../../../src/transport/kernel/protocol/protocol-error.js';
import {struct, type FieldType} from '../../../../../src/transport/kernel/protocol/struct.js';
import * as structs from '../../../../../src/transport/kernel/protocol/structs.js';

/** sizeof, of a C compiler with `linux/fuse.h`. */
const SIZES: Readonly<Record<string, number>> = {
	...{fuse_in_header: 40, fuse_out_header: 16, fuse_entry_out: 128, fuse_attr_out: 104, fuse_init_out: 64},
	...{fuse_forget_in: 8, fuse_batch_forget_in: 8, fuse_forget_one: 16, fuse_interrupt_in: 8, fuse_getattr_in: 16},
	...{fuse_setattr_in: 88, fuse_open_in: 8, fuse_open_out: 16, fuse_create_in: 16, fuse_read_in: 40},
	...{fuse_write_in: 40, fuse_write_out: 8, fuse_release_in: 24, fuse_flush_in: 24, fuse_fsync_in: 16},
	...{fuse_access_in: 8, fuse_statfs_out: 80, fuse_dirent: 24, fuse_getxattr_in: 8, fuse_getxattr_out: 8},
	...{fuse_mknod_in: 16, fuse_mkdir_in: 8, fuse_rename_in: 8, fuse_rename2_in: 16, fuse_link_in: 8},
	...{fuse_backing_map: 16, fuse_notify_inval_inode_out: 24, fuse_notify_store_out: 24},
	// The first 16 of 64 bytes, which is all there was before 7.36; the first 8 of 16, without FUSE_SETXATTR_EXT.
	...{'fuse_init_in': 16, 'fuse_init_in, from flags2 on': 48, 'fuse_setxattr_in': 8},
};

const LARGEST: Readonly<Record<Exclude<FieldType, number>, [number, number]>> = {
	u16: [0, 2 ** 16 - 1],
	u32: [0, 2 ** 32 - 1],
	i32: [-(2 ** 31), 2 ** 31 - 1],
	u64: [0, Number.MAX_SAFE_INTEGER],
};

test('each struct is as large as a C compiler makes it', t => {
	const sizes = Object.fromEntries(Object.values(structs).map(({name, sizeBytes}) => [name, sizeBytes]));
	t.deepEqual(sizes, SIZES);
});

test('what is written into a field is read from it, and no other field changes', t => {
	const types = fc.array(fc.constantFrom(...(Object.keys(LARGEST) as (keyof typeof LARGEST)[])), {
		minLength: 1,
		maxLength: 9,
	});
	const filled = types.chain(given =>
		fc.tuple(
			fc.constant(given),
			fc.tuple(...given.map(type => fc.integer({min: LARGEST[type][0], max: LARGEST[type][1]}))),
			fc.nat(16),
		),
	);
	fc.assert(
		fc.property(filled, ([given, values, at]) => {
			const layout = struct('any', Object.fromEntries(given.map((type, index) => [`f${index}`, type])));
			const place = layout.at(new DataView(new ArrayBuffer(at + layout.sizeBytes)), at);
			values.forEach((value, index) => (place[`f${index}`] = value));
			values.forEach((value, index) => {
				if (place[`f${index}`] !== value) throw new Error(`f${index} is ${place[`f${index}`]}, not ${value}`);
			});
		}),
	);
	t.pass();
});

test('fields lie where a C compiler puts them: each at a multiple of its width', t => {
	const {offsets, sizeBytes} = struct('mixed', {a: 'u32', b: 'u64', c: 'u16', nothing: 6, d: 'u64'});
	t.deepEqual({...offsets, sizeBytes}, {a: 0, b: 8, c: 16, nothing: 18, d: 24, sizeBytes: 32});
});

test('a struct that would go beyond its memory is refused', t => {
	const memory = new DataView(new ArrayBuffer(50));
	t.notThrows(() => structs.IN_HEADER.at(memory, 10));
	t.throws(() => structs.IN_HEADER.at(memory, 11), {instanceOf: ProtocolError});
});
