import test from 'ava';
import {DirentPacker} from '../../../../../src/transport/kernel/protocol/dirents.js';

const DIRECTORY = 0o40000;

test('an entry is its struct, its name, and zeros up to a multiple of 8', t => {
	const bytes = Buffer.alloc(64);
	const packer = new DirentPacker({bytes, view: new DataView(bytes.buffer)}, 16, 48);
	t.true(packer.add({ino: 0x0102, next: 7, mode: DIRECTORY, name: 'abc'}));
	t.is(packer.sizeBytes, 32);
	const expected = ['0201000000000000', '0700000000000000', '03000000', '04000000', '6162630000000000'].join('');
	t.is(bytes.toString('hex', 16, 48), expected);
});

test('an entry for which there is no room is left out, and nothing is written past the room', t => {
	const bytes = Buffer.alloc(1024);
	const memory = {bytes, view: new DataView(bytes.buffer)};
	const packer = new DirentPacker(memory, 0, 100);
	const facts = {ino: 1, next: 1, mode: DIRECTORY, name: 'x'.repeat(20)};
	t.true(packer.add(facts));
	t.true(packer.add(facts));
	t.false(packer.add(facts));
	t.is(packer.addPlus(facts), undefined);
	t.is(packer.sizeBytes, 96);
	t.true(bytes.subarray(96).every(byte => byte === 0));
});
