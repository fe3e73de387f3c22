import test from 'ava';
import {abortable} from '../../../src/base/abort.js';

test('without a signal, or one that does not fire, the outcome is the promise’s', async t => {
	const {signal} = new AbortController();
	t.is(await abortable(Promise.resolve(1), undefined), 1);
	t.is(await abortable(Promise.resolve(1), signal), 1);
	await t.throwsAsync(abortable(Promise.reject(new Error('its own')), signal), {message: 'its own'});
});

test('a signal ends the wait with its reason, also when it has fired before; what is waited for goes on', async t => {
	let resolve: (value: number) => void = () => undefined;
	const work = new Promise<number>(settle => (resolve = settle));
	const controller = new AbortController();
	const waiting = abortable(work, controller.signal);
	controller.abort(new Error('left'));
	await t.throwsAsync(waiting, {message: 'left'});
	await t.throwsAsync(abortable(work, controller.signal), {message: 'left'});
	resolve(5);
	t.is(await work, 5);
});

test('a promise that fails after the wait has ended troubles nobody', async t => {
	let reject: (reason: Error) => void = () => undefined;
	const work = new Promise<number>((_, settle) => (reject = settle));
	await t.throwsAsync(abortable(work, AbortSignal.abort(new Error('left'))), {message: 'left'});
	reject(new Error('nobody waits'));
	await new Promise(resolve => setImmediate(resolve));
});
