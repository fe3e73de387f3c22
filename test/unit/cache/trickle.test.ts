import test from 'ava';
import {Trickle} from '../../../src/cache/trickle.js';

const KIB = 1024;

test('less than 64 KiB in a minute is too little, and each 64 KiB begins a minute', t => {
	const trickle = new Trickle(0, 1000);
	t.false(trickle.isTooLittle(59_999, 1000));
	t.false(trickle.isTooLittle(59_999, 1000 + 64 * KIB));
	t.false(trickle.isTooLittle(119_998, 1000 + 128 * KIB - 1));
	t.true(trickle.isTooLittle(119_999, 1000 + 128 * KIB - 1));
	t.false(trickle.isTooLittle(120_000, 1000 + 128 * KIB));
});

test('what was held up, and a clock that is set back, begin a minute', t => {
	const trickle = new Trickle(100_000, 0);
	trickle.restart(150_000, 0);
	t.false(trickle.isTooLittle(200_000, 0));
	t.false(trickle.isTooLittle(10_000, 0));
	t.false(trickle.isTooLittle(69_999, 0));
	t.true(trickle.isTooLittle(70_000, 0));
});
