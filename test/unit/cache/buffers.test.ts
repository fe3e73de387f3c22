import test from 'ava';
import {Buffers} from '../../../src/cache/buffers.js';

const KIB = 1024;
const MIB = 1024 * KIB;

test('memory is shared evenly by those who are there at the moment', t => {
	const buffers = new Buffers(3 * MIB);
	const [one, two, three, four] = [buffers.join(), buffers.join(), buffers.join(), buffers.join()];
	t.is(one.bytes, 768 * KIB);
	two.leave();
	four.leave();
	t.is(one.bytes, 1.5 * MIB);
	const others = Array.from({length: 22}, () => buffers.join());
	t.is(three.bytes, 128 * KIB);
	t.is(others[21]?.bytes, 128 * KIB);
});

test('a share is 4 MiB at most, and 64 KiB at least', t => {
	const buffers = new Buffers(32 * MIB);
	const first = buffers.join();
	t.is(first.bytes, 4 * MIB);
	for (let sharers = 1; sharers < 512; sharers++) buffers.join();
	t.is(first.bytes, 64 * KIB);
	for (let sharers = 512; sharers < 2000; sharers++) buffers.join();
	t.is(first.bytes, 64 * KIB);
});

test('all shares together are no more than there is, down to the smallest share', t => {
	const buffers = new Buffers(32 * MIB);
	for (let sharers = 1; sharers <= 512; sharers++) {
		const {bytes} = buffers.join();
		t.true(Number.isInteger(bytes) && bytes * sharers <= 32 * MIB, `${sharers}`);
	}
});

test('who leaves twice has left once', t => {
	const buffers = new Buffers(MIB);
	const [one, two] = [buffers.join(), buffers.join()];
	buffers.join();
	one.leave();
	one.leave();
	t.is(two.bytes, 512 * KIB);
});
