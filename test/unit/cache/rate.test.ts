import test from 'ava';
import {Rate} from '../../../src/cache/rate.js';

/** Stands still until it is told. */
class StillClock {
	nowMs = 1_790_000_000_000;

	now(): number {
		return this.nowMs;
	}
}

/** A rate that is told a count every half second, as a download's is. */
class Told {
	readonly clock = new StillClock();
	readonly rate: Rate;

	constructor(public bytes = 0) {
		this.rate = new Rate(this.clock, bytes);
	}

	/** For so many half seconds so many bytes come in each. */
	grow(halfSeconds: number, bytesEach: number): this {
		for (let count = 0; count < halfSeconds; count++) {
			this.clock.nowMs += 500;
			this.bytes += bytesEach;
			this.rate.note(this.bytes);
		}

		return this;
	}

	get perSecond(): number {
		return this.rate.perSecond(this.bytes);
	}
}

test('bytes that come evenly make their rate, be it for two seconds or for a hundred', t => {
	t.is(new Told().grow(4, 50_000).perSecond, 100_000);
	t.is(new Told().grow(200, 50_000).perSecond, 100_000);
});

test('what was there before has no speed', t => {
	t.is(new Told(9_000_000).grow(4, 0).perSecond, 0);
	t.is(new Told(9_000_000).grow(4, 50_000).perSecond, 100_000);
});

test('only the last five seconds count', t => {
	const told = new Told().grow(20, 1_000_000).grow(5, 100_000);
	t.is(told.perSecond, (5 * 1_000_000 + 5 * 100_000) / 5);
	t.is(told.grow(5, 100_000).perSecond, 200_000);
});

test('a stall slows it, and after five seconds it is 0; what comes then counts again', t => {
	const told = new Told().grow(20, 100_000);
	t.is(told.grow(5, 0).perSecond, 100_000);
	t.is(told.grow(4, 0).perSecond, 20_000);
	t.is(told.grow(1, 0).perSecond, 0);
	t.is(told.grow(100, 0).perSecond, 0);
	t.is(told.grow(1, 500_000).perSecond, 100_000);
});

test('the time before the first bytes does not count', t => {
	t.is(new Told().grow(120, 0).grow(4, 50_000).perSecond, 100_000);
});

test('what came within less than a second is told as if it had taken one', t => {
	const told = new Told();
	told.bytes = 30_000;
	t.is(told.perSecond, 30_000);
	told.clock.nowMs += 100;
	t.is(told.perSecond, 30_000);
	told.clock.nowMs += 1900;
	t.is(told.perSecond, 15_000);
});

test('between two notes it is as exact as the count and the clock are', t => {
	const told = new Told().grow(20, 50_000);
	told.clock.nowMs += 250;
	told.bytes += 25_000;
	t.is(told.perSecond, 100_000);
});

test('asking changes nothing', t => {
	const told = new Told().grow(6, 50_000);
	for (let count = 0; count < 100; count++) t.is(told.perSecond, 100_000);
	t.is(told.grow(4, 50_000).perSecond, 100_000);
});

test('whoever notes seldom gets the rate since the last note that is older than the window', t => {
	const told = new Told().grow(20, 50_000);
	told.clock.nowMs += 20_000;
	told.bytes += 2_000_000;
	t.is(told.perSecond, 100_000);
});

test('a count that goes back begins anew', t => {
	const told = new Told().grow(20, 50_000);
	told.bytes = 0;
	t.is(told.perSecond, 0);
	t.is(told.grow(4, 30_000).perSecond, 60_000);
});

test('a clock that goes back, or far ahead, makes no rate that is below 0 or too high', t => {
	const told = new Told().grow(20, 50_000);
	told.clock.nowMs -= 3_600_000;
	t.true(told.perSecond >= 0 && told.perSecond <= 500_000);
	t.is(told.grow(4, 50_000).perSecond, 100_000);
	told.clock.nowMs += 7_200_000;
	t.is(told.grow(1, 0).perSecond, 0);
	t.is(told.grow(10, 50_000).perSecond, 100_000);
});
