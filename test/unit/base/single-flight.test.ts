import test from 'ava';
import {SingleFlight} from '../../../src/base/single-flight.js';

test('concurrent callers of a key share one run and its value; another key has its own', async t => {
	const flights = new SingleFlight<string, number>();
	let runs = 0;
	const run = () => Promise.resolve(++runs);
	t.deepEqual(await Promise.all([flights.run('a', run), flights.run('a', run), flights.run('b', run)]), [1, 1, 2]);
	t.is(await flights.run('a', run), 3);
});

test('a failure is shared too, and not kept', async t => {
	const flights = new SingleFlight<string, string>();
	const failing = () => Promise.reject(new Error('no'));
	const outcomes = await Promise.allSettled([flights.run('a', failing), flights.run('a', failing)]);
	t.deepEqual(
		outcomes.map(({status}) => status),
		['rejected', 'rejected'],
	);
	t.is(await flights.run('a', () => Promise.resolve('yes')), 'yes');
});
