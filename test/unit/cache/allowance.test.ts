import test from 'ava';
import {Allowance} from '../../../src/cache/allowance.js';

const KIB = 1024;
const MIB = 1024 * KIB;

test('before anybody reads on only the beginning may come, but of a whole body all', t => {
	for (const mode of ['auto', 'ranges'] as const) {
		const allowance = new Allowance(mode);
		t.true(allowance.allows(0) && allowance.allows(200 * KIB));
		t.false(allowance.allows(MIB));
		t.false(allowance.isFree);
	}

	t.true(new Allowance('whole').isFree);
});

test('who reads on gets all of it, or what is a little ahead', t => {
	const [auto, ranges] = [new Allowance('auto'), new Allowance('ranges')];
	for (const allowance of [auto, ranges]) allowance.readOn({start: MIB, end: 2 * MIB});
	t.true(auto.isFree);
	t.false(ranges.isFree);
	t.true(ranges.allows(3 * MIB));
	t.false(ranges.allows(10 * MIB));
});

test('what is only asked about brings its beginning, whatever else holds, until somebody reads it', t => {
	for (const mode of ['auto', 'ranges', 'whole'] as const) {
		const allowance = new Allowance(mode, true);
		allowance.free();
		t.true(allowance.isHeld && !allowance.isFree);
		t.true(allowance.allows(200 * KIB));
		t.false(allowance.allows(MIB));
		t.true(allowance.goOnAt(MIB) < 2 * MIB);
		allowance.resume();
		t.true(!allowance.isHeld && allowance.isFree && allowance.allows(10 * MIB));
	}
});

test('nothing more may come while nobody reads, unless all is to come', t => {
	for (const mode of ['auto', 'ranges', 'whole'] as const) {
		const allowance = new Allowance(mode);
		allowance.free();
		t.is(allowance.suspend(), mode !== 'whole');
		t.is(allowance.allows(0), mode === 'whole');
		allowance.resume();
		t.true(allowance.isFree && allowance.allows(100 * MIB));
	}
});

test('its beginning is what comes unasked, from where it is gone on with', t => {
	const allowance = new Allowance('auto');
	t.true(allowance.isOfBeginning(0));
	t.false(allowance.isOfBeginning(MIB));
	allowance.goOnAt(MIB);
	t.true(allowance.isOfBeginning(MIB));
	t.false(allowance.isOfBeginning(2 * MIB));
});
