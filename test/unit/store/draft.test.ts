import {spawnSync} from 'node:child_process';
import {mkdirSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {Range} from '../../../src/base/range-set.js';
import {Draft} from '../../../src/store/draft.js';
import {draftOwner} from '../../../src/store/draft-owner.js';
import {keyOf} from '../../../src/store/key.js';
import {Layout} from '../../../src/store/layout.js';
import {KeyLocks} from '../../../src/store/key-locks.js';
import {publish} from '../../../src/store/publish.js';
import {sweepDownloads} from '../../../src/store/recover.js';
import {WantedLogWriter} from '../../../src/store/wanted-log.js';
import {factsOf} from '../../helpers/begun.js';
import {allocatedOnDisk, failsWith, leftovers, MIB, openBudget, temporaryDirectory} from '../../helpers/cache.js';

const KEY = keyOf('https://a.example/a');

function setUp(t: ExecutionContext, limitBytes: number, evictNext = () => Promise.resolve(false)) {
	const layout = new Layout(temporaryDirectory(t));
	layout.create();
	return {layout, budget: openBudget(limitBytes, evictNext).budget};
}

test('a draft holds the blocks that its entry will take, until it is discarded', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	t.is(budget.heldBytes, 0);
	draft.expect(5000);
	await draft.write([Buffer.alloc(5000)], 0);
	t.is(budget.heldBytes, 3 * 4096);
	await Promise.all([draft.discard(), draft.discard()]);
	t.is(budget.heldBytes, 0);
	t.deepEqual(leftovers(layout.root), []);
});

test('a draft with holes holds what is written of it', async t => {
	const {layout, budget} = setUp(t, 1024 * MIB);
	const draft = await Draft.create(layout, KEY, budget);
	draft.expect(900 * MIB);
	await draft.write([Buffer.alloc(100)], 800 * MIB);
	t.is(budget.heldBytes, MIB);
	await draft.write([Buffer.alloc(100)], 0);
	t.is(budget.heldBytes, MIB);
	t.true(Number((await draft.file.stats()).blocks) * 512 <= 4 * 4096);
	await Promise.all([300, 400, 500].map(mib => draft.write([Buffer.alloc(40 * MIB)], mib * MIB)));
	t.true(budget.heldBytes >= 120 * MIB && budget.heldBytes <= 320 * MIB, `${budget.heldBytes}`);
	await draft.discard();
	t.is(budget.heldBytes, 0);
});

test('room is taken as the file grows, ahead of it but never beyond what was announced', async t => {
	const {layout, budget} = setUp(t, 1024 * MIB);
	const draft = await Draft.create(layout, KEY, budget);
	draft.expect(900 * MIB);
	for (const [mib, held] of [
		[0, 1],
		[1, 2],
		[2, 4],
		[4, 8],
		[127, 8 + 64 + 56],
	]) {
		await draft.write([Buffer.alloc(100)], 0);
		await draft.write([Buffer.alloc(MIB - 4096)], (mib ?? 0) * MIB);
		t.true(budget.heldBytes <= (held ?? 0) * MIB, `${mib}: ${budget.heldBytes}`);
	}

	t.true(budget.heldBytes <= 16 * MIB, `${budget.heldBytes}`);
	const {heldBytes} = budget;
	const small = await Draft.create(layout, KEY, budget);
	small.expect(100);
	await small.write([Buffer.alloc(100)], 0);
	t.is(budget.heldBytes, heldBytes + 8192);
	await Promise.all([draft.discard(), small.discard()]);
});

test('a draft may not outgrow what was announced; where nothing was, half the budget and what is free', async t => {
	const {layout, budget} = setUp(t, MIB);
	const announced = await Draft.create(layout, KEY, budget);
	announced.expect(100);
	await failsWith(t, 'too-large', announced.write([Buffer.alloc(101)], 0));
	t.throws(() => announced.expect(MIB), {message: /do not fit the budget/});
	await announced.discard();
	const endless = await Draft.create(layout, KEY, budget);
	await endless.write([Buffer.alloc(MIB / 2)], 0);
	await endless.write([Buffer.alloc(MIB / 4)], MIB / 2);
	budget.hold(MIB / 4);
	await failsWith(t, 'too-large', endless.write([Buffer.alloc(1)], (MIB / 4) * 3));
	budget.giveBack(MIB / 4);
	await endless.discard();
	t.is(budget.heldBytes, 0);
});

test('a draft that is discarded while room is made for it holds nothing afterwards', async t => {
	let evicted: (any: boolean) => void = () => undefined;
	const {layout, budget} = setUp(t, MIB, () => new Promise(resolve => (evicted = resolve)));
	budget.hold(MIB);
	const draft = await Draft.create(layout, KEY, budget);
	draft.expect(100);
	const writing = draft.write([Buffer.alloc(100)], 0);
	await draft.discard();
	budget.giveBack(MIB);
	evicted(true);
	await failsWith(t, 'aborted', writing);
	t.is(budget.heldBytes, 0);
	t.deepEqual(leftovers(layout.root), []);
});

test('a write that fails leaves a draft as it was, and what is written of it beside that is counted right', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	draft.expect(MIB / 2);
	await draft.write([Buffer.alloc(4096, 'a')], 0);
	draft.giveBackAhead();
	t.is(budget.heldBytes, 2 * 4096);
	budget.hold(MIB - 2 * 4096);
	await failsWith(t, 'no-space', draft.write([Buffer.alloc(200_000)], 4096));
	await failsWith(t, 'no-space', draft.truncate(200_000));
	budget.giveBack(MIB - 2 * 4096);
	t.is(draft.sizeBytes, 4096);
	await draft.write([Buffer.alloc(1, 'b')], 4096);
	draft.giveBackAhead();
	t.is(budget.heldBytes, 3 * 4096);
	await draft.discard();
	t.is(budget.heldBytes, 0);
});

test('for one that may be larger than the budget nothing is evicted, and it grows as long as there is room', async t => {
	let evictions = 0;
	const {layout, budget} = setUp(t, 4 * MIB, () => Promise.resolve(++evictions > 100));
	const draft = await Draft.create(layout, KEY, budget);
	draft.expectAsFits(100 * MIB);
	for (const at of [0, 1, 2]) await draft.write([Buffer.alloc(MIB)], at * MIB);
	const error = await failsWith(t, 'too-large', draft.write([Buffer.alloc(MIB)], 3 * MIB));
	t.regex(error.message, /do not fit the budget/);
	t.is(draft.sizeBytes, 3 * MIB);
	await draft.write([Buffer.alloc(MIB / 2)], 3 * MIB);
	await draft.discard();

	const small = await Draft.create(layout, KEY, budget);
	small.expectAsFits(3 * MIB);
	budget.hold(2 * MIB);
	await small.write([Buffer.alloc(MIB)], 0);
	await failsWith(t, 'no-space', small.write([Buffer.alloc(MIB)], MIB));
	budget.giveBack(2 * MIB);
	await small.write([Buffer.alloc(MIB)], MIB);
	await failsWith(t, 'too-large', small.write([Buffer.alloc(2 * MIB)], 2 * MIB));
	await small.discard();
	t.is(budget.heldBytes, 0);
	t.is(evictions, 0);
});

test('of what is free some is taken ahead, and given back where more than that is wanted by others', async t => {
	const {layout, budget} = setUp(t, 200 * MIB);
	const draft = await Draft.create(layout, KEY, budget);
	draft.expectAsFits();
	await draft.write([Buffer.alloc(1)], 0);
	t.is(budget.heldBytes, 8192);
	draft.expectAsFits(100 * MIB);
	await draft.write([Buffer.alloc(5000)], 0);
	t.is(budget.heldBytes, MIB + 8192);
	draft.giveBackAhead();
	t.is(budget.heldBytes, 3 * 4096);
	await draft.discard();
});

test('what is no draft any more takes nothing, and cannot be kept where nobody keeps it', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	draft.beginTelling(factsOf('https://a.example/a', 100));
	await draft.write([Buffer.alloc(100)], 0);
	draft.tell({start: 0, end: 100});
	t.false(await draft.keep());
	await draft.discard();
	await failsWith(t, 'aborted', draft.write([Buffer.alloc(1)], 0));
	t.false(await draft.keep());
	t.is(budget.heldBytes, 0);
	t.deepEqual(leftovers(layout.root), []);
});

test('thousands of small chunks are written in order, more than one call of the system takes', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	const chunks = Array.from({length: 5000}, (_, index) => Buffer.from([index % 251]));
	await draft.write([Buffer.alloc(0), ...chunks, Buffer.alloc(0)], 0);
	const read = Buffer.alloc(6000);
	t.is(await draft.file.read(read, 0), 5000);
	t.deepEqual(read.subarray(0, 5000), Buffer.concat(chunks));
	await draft.discard();
});

test('closing an open file lets the read under way end, and only then closes the descriptor', async t => {
	const {layout, budget} = setUp(t, 64 * MIB);
	const draft = await Draft.create(layout, KEY, budget);
	draft.expect(8 * MIB);
	await draft.write([Buffer.alloc(8 * MIB, 'x')], 0);
	const buffer = Buffer.alloc(8 * MIB);
	const reading = draft.file.read(buffer, 0);
	draft.file.close();
	draft.file.close();
	t.is(await reading, 8 * MIB);
	await failsWith(t, 'aborted', draft.file.read(buffer, 0));
	await draft.discard();
});

test('what a transform wrote is another draft, with room of its own', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	const output = `${draft.path}.out`;
	writeFileSync(output, 'transformed', {mode: 0o644});
	const next = await draft.adopt(output);
	t.is(next.sizeBytes, 11);
	t.is(budget.heldBytes, 8192);
	t.is(statSync(output).mode & 0o777, 0o600);
	writeFileSync(`${output}2`, Buffer.alloc(2 * MIB));
	await failsWith(t, 'too-large', draft.adopt(`${output}2`));
	await Promise.all([draft.discard(), next.discard()]);
	t.is(budget.heldBytes, 0);
	t.deepEqual(leftovers(layout.root), []);
});

test('a sidecar that cannot be put in its place leaves the draft as it was', async t => {
	const {layout, budget} = setUp(t, MIB);
	/** Nothing can be renamed to where this one has its sidecars. */
	class Elsewhere extends Layout {
		override sidecar(): string {
			return path.join(this.root, 'missing', 'sidecar.json');
		}
	}

	const draft = await Draft.create(layout, KEY, budget);
	await draft.write([Buffer.from('body')], 0);
	const facts = {url: 'https://a.example/a', mimetype: 'text/plain', filename: 'a', size: 4};
	const said = {origin: {}, http: undefined, isPut: false};
	const sidecar = {...facts, ...said, ts: 1, stored: 1, pinned: false, tags: [], durable: false, others: {}};
	await t.throwsAsync(publish(new Elsewhere(layout.root), draft, sidecar, false), {code: 'ENOENT'});
	t.deepEqual(leftovers(layout.root), [path.basename(draft.path)]);
	t.is(allocatedOnDisk(layout.root), 0);
	await publish(layout, draft, sidecar, false);
	t.is(allocatedOnDisk(layout.root), 8192);
});

test('the sweep removes what dead processes left, and nothing of the living', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	const deadPid = spawnSync('true').pid;
	const living = [`${KEY}.${process.ppid}.0123456789ab`, 'no-draft', path.basename(draft.path)];
	const dead = [
		`${KEY}.${deadPid}.0123456789ab`,
		...['out', 'ranges', 'wanted'].map(kind => `${KEY}.${deadPid}.0123456789ab.${kind}`),
		`${KEY}.json.${deadPid}.0123456789ab`,
		// An earlier process with this one's number, as in a container that was started again.
		`${KEY}.${process.pid}.0123456789ab0123456789ab`,
	];
	for (const name of [...living.slice(0, 2), ...dead]) writeFileSync(path.join(layout.downloads, name), '');
	const locks = new KeyLocks(layout.locks);
	await sweepDownloads(layout, locks);
	locks.close();
	t.deepEqual(leftovers(layout.root).sort(), living.sort());
	await draft.discard();
});

test('who follows a draft is heard and counted until it is discarded, and leaves no file behind', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	const wanted: Range[] = [];
	draft.onWanted = range => wanted.push(range);
	t.false(draft.isFollowed);
	t.is(WantedLogWriter.open(draft.path), undefined);
	draft.beginListening();
	draft.beginListening();
	t.false(draft.isFollowed);
	const follower = WantedLogWriter.open(draft.path);
	t.teardown(() => follower?.close());
	follower?.want({start: 5, end: 7});
	t.true(draft.isFollowed);
	t.deepEqual(wanted, [{start: 5, end: 7}]);
	await draft.discard();
	t.false(draft.isFollowed);
	t.deepEqual(leftovers(layout.root), []);
});

test('a draft of which nobody can be told is written all the same', async t => {
	const {layout, budget} = setUp(t, MIB);
	const draft = await Draft.create(layout, KEY, budget);
	mkdirSync(`${draft.path}.wanted`);
	draft.beginListening();
	draft.tell({start: 0, end: 1});
	t.false(draft.isFollowed);
	await draft.discard();
	t.deepEqual(leftovers(layout.root), [`${path.basename(draft.path)}.wanted`]);
});

test('only names of the right form have an owner', t => {
	t.like(draftOwner(`${KEY}.12.ab`), {pid: 12, isThisProcess: false});
	for (const name of [
		KEY,
		`${KEY}.12`,
		`${KEY}.x.ab`,
		`${KEY.slice(1)}.12.ab`,
		`${KEY}.12.ab.out.x`,
		`../${KEY}.12.ab`,
	]) {
		t.is(draftOwner(name), undefined, name);
	}
});
