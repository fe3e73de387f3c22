import {getEventListeners} from 'node:events';
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {hostOf, Slots, type Slot} from '../../../src/cache/slots.js';
import type {PriorityNow} from '../../../src/cache/waiting-line.js';

/** Who has asked for slots by name, and who has one, in the order in which they got them. */
class Askers {
	readonly served: string[] = [];
	readonly #slots = new Map<string, Slot>();

	constructor(private readonly slots: Slots) {}

	/** Asks, and resolves once all that can be served by then is. */
	async ask(name: string, host: string, priority: PriorityNow = 'reader', signal?: AbortSignal): Promise<void> {
		this.slots.take(host, priority, signal).then(
			slot => {
				this.served.push(name);
				this.#slots.set(name, slot);
			},
			(reason: unknown) => this.served.push(`${name}: ${String(reason)}`),
		);
		await setImmediate();
	}

	async release(name: string): Promise<void> {
		this.#slots.get(name)?.release();
		await setImmediate();
	}
}

test('so many are out at once in all, and so many for one host', async t => {
	const askers = new Askers(new Slots({total: 3, perHost: 2}));
	for (const name of ['a1', 'a2', 'a3', 'b1', 'b2']) await askers.ask(name, name.slice(0, 1));
	t.deepEqual(askers.served, ['a1', 'a2', 'b1']);
	await askers.release('b1');
	t.deepEqual(askers.served, ['a1', 'a2', 'b1', 'b2'], 'a has two');
	await askers.release('a1');
	t.deepEqual(askers.served, ['a1', 'a2', 'b1', 'b2', 'a3']);
});

test('a host that is full keeps nobody waiting who wants another one', async t => {
	const askers = new Askers(new Slots({total: 2, perHost: 1}));
	for (const name of ['a1', 'a2', 'a3', 'b1', 'c1']) await askers.ask(name, name.slice(0, 1));
	t.deepEqual(askers.served, ['a1', 'b1']);
	await askers.release('b1');
	t.deepEqual(askers.served, ['a1', 'b1', 'c1']);
});

test('who has a reader goes before who has none, and among equals who asked first', async t => {
	const askers = new Askers(new Slots({total: 1, perHost: Infinity}));
	await askers.ask('running', 'a');
	await askers.ask('ahead 1', 'a', 'ahead');
	await askers.ask('reader 1', 'a', 'reader');
	await askers.ask('ahead 2', 'b', 'ahead');
	await askers.ask('reader 2', 'b', 'reader');
	const order = ['running', 'reader 1', 'reader 2', 'ahead 1', 'ahead 2'];
	for (const name of order) await askers.release(name);
	t.deepEqual(askers.served, order);
});

test('who gets a reader while it waits goes before who has none, in the order of asking', async t => {
	const askers = new Askers(new Slots({total: 1, perHost: 1}));
	let hasReader = false;
	await askers.ask('running', 'a');
	await askers.ask('ahead', 'a', 'ahead');
	await askers.ask('wanted later', 'b', () => (hasReader ? 'reader' : 'ahead'));
	await askers.ask('reader', 'a', 'reader');
	hasReader = true;
	for (const name of ['running', 'wanted later', 'reader']) await askers.release(name);
	t.deepEqual(askers.served, ['running', 'wanted later', 'reader', 'ahead']);
});

test('a signal ends the wait with its reason, and others get what is free', async t => {
	const askers = new Askers(new Slots({total: 1, perHost: 1}));
	const abort = new AbortController();
	await askers.ask('running', 'a');
	await askers.ask('gone', 'a', 'reader', abort.signal);
	await askers.ask('next', 'a');
	abort.abort('enough');
	await setImmediate();
	t.deepEqual(askers.served, ['running', 'gone: enough']);
	t.is(getEventListeners(abort.signal, 'abort').length, 0);
	await askers.release('running');
	await askers.release('next');
	await askers.ask('free again', 'a');
	t.deepEqual(askers.served.slice(2), ['next', 'free again']);
});

test('a signal that has fired takes no slot, and one that fires after the grant takes none away', async t => {
	const askers = new Askers(new Slots({total: 1, perHost: 1}));
	await askers.ask('late', 'a', 'reader', AbortSignal.abort('over'));
	const abort = new AbortController();
	await askers.ask('first', 'a', 'reader');
	await askers.ask('second', 'a', 'reader', abort.signal);
	void askers.release('first');
	t.is(getEventListeners(abort.signal, 'abort').length, 0);
	abort.abort('too late');
	await setImmediate();
	t.deepEqual(askers.served, ['late: over', 'first', 'second']);
	await askers.ask('third', 'a');
	t.is(askers.served.length, 3, 'it is out until it is released');
	await askers.release('second');
	t.deepEqual(askers.served.slice(3), ['third']);
});

test('who releases twice has released once', async t => {
	const slots = new Slots({total: 2, perHost: 2});
	const askers = new Askers(slots);
	const slot = await slots.take('a', 'reader');
	await askers.ask('b1', 'b');
	slot.release();
	slot.release();
	await askers.ask('b2', 'b');
	await askers.ask('c1', 'c');
	t.deepEqual(askers.served, ['b1', 'b2']);
});

test('without limits nobody waits', async t => {
	const askers = new Askers(new Slots({total: Infinity, perHost: Infinity}));
	for (let count = 0; count < 100; count++) void askers.ask(`${count}`, 'a', 'ahead');
	await setImmediate();
	t.is(askers.served.length, 100);
});

test('what is only asked about has slots of its own, twice as many, and 16 for a host and 32 in all at most', async t => {
	const limits = ({total, perHost}: {total: number; perHost: number}) => new Slots({total, perHost}).beginnings.limits;
	t.deepEqual(limits({total: 3, perHost: 1}), {total: 6, perHost: 2});
	for (const many of [
		{total: 16, perHost: 8},
		{total: Infinity, perHost: Infinity},
	]) {
		t.deepEqual(limits(many), {total: 32, perHost: 16});
	}

	const slots = new Slots({total: 1, perHost: 1});
	const [slot, other] = [await slots.take('a', 'reader'), await slots.beginnings.take('a', 'reader')];
	t.deepEqual([slot.isForBeginning, other.isForBeginning], [false, true]);
});

test('limits that would let nobody through are a RangeError', t => {
	for (const wrong of [0, -1, 1.5, NaN]) {
		t.throws(() => new Slots({total: wrong, perHost: 1}), {instanceOf: RangeError, message: /^total is /});
		t.throws(() => new Slots({total: 1, perHost: wrong}), {instanceOf: RangeError, message: /^perHost is /});
	}
});

test('never more are out than may be, and all get theirs, whatever the order of asking, leaving and giving back', async t => {
	const limits = {total: 5, perHost: 2};
	const slots = new Slots(limits);
	const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
	t.log(`SEED=${seed}`);
	const random = randomFrom(seed);
	const out: string[] = [];
	let [most, left] = [0, 0];
	const asker = async (host: string) => {
		const abort = new AbortController();
		const taken = slots.take(host, random() < 0.5 ? 'reader' : 'ahead', abort.signal).catch(() => undefined);
		if (random() < 0.3) void setImmediate().then(() => abort.abort());
		const slot = await taken;
		if (slot === undefined) return void left++;
		out.push(host);
		most = Math.max(most, out.length);
		if (out.length > limits.total || out.filter(one => one === host).length > limits.perHost) t.fail(out.join());
		for (let turns = random() * 5; turns > 0; turns--) await setImmediate();
		out.splice(out.indexOf(host), 1);
		slot.release();
	};
	await Promise.all(Array.from({length: 500}, () => asker('abcd'.charAt(random() * 4))));
	t.is(most, limits.total);
	t.true(left > 0 && left < 250);
	const again = await Promise.all(['a', 'a', 'b', 'b', 'c'].map(host => slots.take(host, 'ahead')));
	t.is(again.length, limits.total);
});

test('a host is its name with its port, whatever the spelling', t => {
	const same = ['https://A.Example/x.gif', 'https://a.example:443/y', 'HTTPS://user:secret@a.example?q'];
	for (const url of same) t.is(hostOf(url), 'a.example:443', url);
	t.is(hostOf('http://a.example/'), 'a.example:80');
	t.is(hostOf('http://127.0.0.1:8080/'), '127.0.0.1:8080');
	t.is(hostOf('http://[::1]:8080/'), '[::1]:8080');
	for (const none of [undefined, '', 'no url', 'http://', 'data:text/plain,x', 'my:own/name'])
		t.is(hostOf(none), '', none);
});

/** Park and Miller: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
	let state = (seed % 2147483646) + 1;
	return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
