/** Operations at random through the kernel: the model is what is stored by name, and what each open file was. */
import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {createInterface} from 'node:readline';
import test from 'ava';
import fc from 'fast-check';
import {assertAlways} from '../helpers/always.js';
import {filesOf, startDrive} from '../helpers/drive.js';
import type {Mount} from '../helpers/mount.js';
import type {Origin} from '../helpers/origin.js';
import {until} from '../helpers/until.js';

const RUN_MS = 10_000;
const PROGRAM = path.resolve(import.meta.dirname, '../../../test/helpers/told-program.py');

/** A text of which each part tells where in it it is, and of which version. */
function bodyOf({letter, size}: {letter: string; size: number}): string {
	let body = '';
	for (let at = 0; at < size; at += 8) body += letter + String(at).padStart(7, '0');
	return body.slice(0, size);
}

const name = fc.constantFrom(0, 1, 2);
const slot = fc.constantFrom('one', 'two', 'three');
const letter = fc.constantFrom(...'abcdefgh');
const SIZES = [1, 4095, 4096, 4097, 70_000, 300_001, 1_000_000];
const body = fc.record({letter, size: fc.constantFrom(0, ...SIZES)}).map(bodyOf);
/** One of no bytes is stored a moment after it was read. */
const originBody = fc.record({letter, size: fc.constantFrom(...SIZES)}).map(bodyOf);
/** What is done, and about what. */
const operation = fc.oneof(
	{weight: 4, arbitrary: fc.tuple(fc.constant('read'), name)},
	{weight: 4, arbitrary: fc.tuple(fc.constant('open'), name, slot)},
	{weight: 4, arbitrary: fc.tuple(fc.constant('pread'), slot, fc.nat(1_100_000), fc.integer({min: 1, max: 500_000}))},
	{weight: 3, arbitrary: fc.tuple(fc.constant('mapped'), slot)},
	{weight: 3, arbitrary: fc.tuple(fc.constant('put'), name, body, fc.boolean())},
	{weight: 3, arbitrary: fc.tuple(fc.constant('stat'), name)},
	{weight: 3, arbitrary: fc.tuple(fc.constant('fstat'), slot)},
	{weight: 2, arbitrary: fc.tuple(fc.constant('unlink'), name)},
	{weight: 2, arbitrary: fc.tuple(fc.constant('changes at its origin'), name, originBody)},
	{weight: 2, arbitrary: fc.tuple(fc.constant('touch'), name)},
	{weight: 2, arbitrary: fc.tuple(fc.constant('list'), fc.boolean())},
	{weight: 1, arbitrary: fc.tuple(fc.constant('close'), slot)},
	{weight: 1, arbitrary: fc.tuple(fc.constant('removed by another program'), name)},
);
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never;

/** As the program tells of bytes. */
function told(text: string): string {
	return `${text.length} ${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

/** A drive, the program that uses it, and what is to come of that. */
class World {
	readonly #origin = new Map<number, readonly string[]>();
	readonly #stored = new Map<number, {readonly body: string; readonly isPut: boolean}>();
	readonly #open = new Map<string, string>();
	readonly #urls = new Map<number, string>();
	/** Sidecars that are to give way to those of empty entries. */
	readonly #emptied = new Map<number, string>();

	constructor(
		private readonly drive: {readonly mount: Mount; readonly origin: Origin},
		private readonly ask: (...command: unknown[]) => Promise<string>,
		/** Of this run: each has names of its own. */
		private readonly run: number,
	) {
		for (const index of [0, 1, 2]) this.#serve(index, bodyOf({letter: 'o', size: 5000 * (index + 1)}));
	}

	async do(operation: Operation): Promise<unknown> {
		switch (operation[0]) {
			case 'read':
				await this.#fetch(operation, operation[1], 'read');
				return;
			case 'open': {
				const [, index, place] = operation;
				this.#open.set(place, await this.#fetch(operation, index, 'open', place));
				return;
			}

			case 'pread': {
				const [, place, at, length] = operation;
				const text = this.#open.get(place);
				if (text === undefined) return;
				return this.#expect(operation, told(text.slice(at, at + length)), 'pread', place, at, length);
			}

			case 'mapped':
			case 'fstat': {
				const [what, place] = operation;
				const text = this.#open.get(place);
				if (text === undefined) return;
				return this.#expect(operation, what === 'fstat' ? String(text.length) : told(text), what, place);
			}

			case 'put':
				return this.#put(operation);
			case 'stat':
				return this.#expect(operation, this.#sizes(operation[1]), 'stat', this.#file(operation[1]));
			case 'unlink': {
				const isStored = this.#stored.delete(operation[1]);
				this.#emptied.delete(operation[1]);
				return this.#expect(operation, isStored ? 'done' : 'ENOENT', 'unlink', this.#file(operation[1]));
			}

			case 'changes at its origin':
				this.#serve(operation[1], operation[2]);
				return;
			case 'touch':
				return this.#touch(operation);
			case 'list':
				return this.#list(operation);
			case 'close':
				this.#open.delete(operation[1]);
				return this.#expect(operation, 'done', 'close', operation[1]);
			case 'removed by another program':
				return this.#removeElsewhere(operation[1]);
		}
	}

	async end(): Promise<void> {
		for (const place of ['one', 'two', 'three']) await this.ask('close', place);
		for (const index of [0, 1, 2]) await this.ask('unlink', this.#file(index));
	}

	async #put(operation: Operation & {0: 'put'}): Promise<void> {
		const [, index, text, isInParts] = operation;
		if (text === '' && this.#stored.has(index)) {
			await this.#settled(index);
			this.#emptied.set(index, await this.#sidecar(index));
		}

		// What is written of nothing is nothing stored; what empties a file is.
		if (text !== '' || this.#stored.has(index)) this.#stored.set(index, {body: text, isPut: true});
		await this.#expect(operation, 'done', 'put', this.#file(index), text, ...(isInParts ? [text.length >> 1] : []));
	}

	/** Of what was put the origin is not asked at once; of the rest it is fetched, if it has changed, whole. */
	async #touch(operation: Operation & {0: 'touch'}): Promise<void> {
		const index = operation[1];
		const stored = this.#stored.get(index);
		if (stored?.isPut === true) return;
		await this.#expect(operation, 'done', 'touch', this.#file(index));
		const [text = ''] = this.#origin.get(index) ?? [];
		if (stored === undefined || stored.body === text) return;
		this.#stored.set(index, {body: text, isPut: false});
		await this.#comesTrue('read', this.#file(index), told(text));
	}

	async #list(operation: Operation & {0: 'list'}): Promise<void> {
		const isLong = operation[1];
		const directory = path.join(this.drive.mount.directory, 'by-url');
		const names = [...this.#stored].map(([index, {body}]) => {
			const listed = encodeURIComponent(this.#url(index));
			return isLong ? `${listed}=${body.length}` : listed;
		});
		const expected = names.sort().join(' ') || 'done';
		await this.#expect(operation, expected, isLong ? 'long list' : 'list', directory);
	}

	async #removeElsewhere(index: number): Promise<void> {
		const stored = this.#stored.get(index);
		if (stored === undefined) return;
		this.#stored.delete(index);
		await this.#settled(index);
		const {sidecar, data} = this.#files(index);
		for (const file of [sidecar, data]) await rm(file);
		const listed = encodeURIComponent(this.#url(index));
		const directory = path.join(this.drive.mount.directory, 'by-url');
		await until('it is heard of', async () => !(await this.ask('list', directory)).split(' ').includes(listed), 5000);
		await until('stat knows', async () => this.#sizes(index).includes(await this.ask('stat', this.#file(index))), 5000);
	}

	/** What empties a file is stored with its RELEASE, which comes after close(2): another program may be there before it. */
	async #settled(index: number): Promise<void> {
		const before = this.#emptied.get(index);
		this.#emptied.delete(index);
		if (before === undefined) return;
		await until('it is emptied', async () => ![before, ''].includes(await this.#sidecar(index)), 5000);
	}

	/** Tells one sidecar from another; empty where there is none. */
	async #sidecar(index: number): Promise<string> {
		const {sidecar} = this.#files(index);
		const stats = await stat(sidecar, {bigint: true}).catch(() => undefined);
		return stats === undefined ? '' : `${stats.ino} ${stats.ctimeNs}`;
	}

	/**
	 * Who opens it gets what is stored, or from then on what the origin has; or what that had
	 * when somebody looked at the file a moment before, whose answer is then the opener's.
	 */
	async #fetch(operation: Operation, index: number, ...command: string[]): Promise<string> {
		const texts = this.#possible(index);
		const answer = await this.#expect(operation, texts.map(told), ...command, this.#file(index));
		const body = texts.find(text => told(text) === answer) ?? '';
		if (!this.#stored.has(index)) this.#stored.set(index, {body, isPut: false});
		return body;
	}

	#possible(index: number): readonly string[] {
		const stored = this.#stored.get(index);
		return stored === undefined ? (this.#origin.get(index) ?? []) : [stored.body];
	}

	/** Of what is not stored a stat may know nothing, or what the origin says. */
	#sizes(index: number): string[] {
		const sizes = this.#possible(index).map(({length}) => String(length));
		return this.#stored.has(index) ? sizes : ['0', ...sizes];
	}

	#serve(index: number, text: string): void {
		const earlier = this.#stored.has(index) ? [] : (this.#origin.get(index) ?? []);
		this.#origin.set(index, [text, ...earlier]);
		this.#urls.set(index, this.drive.origin.serve(`/${this.run}/${index}`, {body: text, etag: `"${told(text)}"`}));
	}

	#url(index: number): string {
		return this.#urls.get(index) ?? '';
	}

	/** In the store. */
	#files(index: number): ReturnType<typeof filesOf> {
		return filesOf(this.drive.mount.cacheDir, this.#url(index));
	}

	#file(index: number): string {
		return this.drive.mount.path(this.#url(index));
	}

	async #expect(operation: Operation, expected: string | string[], ...command: unknown[]): Promise<string> {
		const answer = await this.ask(...command);
		if ([expected].flat().includes(answer)) return answer;
		throw new Error(`${operation.join(' ').slice(0, 100)}: ${answer}, and not ${[expected].flat().join(' or ')}`);
	}

	#comesTrue(what: string, file: string, expected: string): Promise<unknown> {
		return until(`${what} says ${expected}`, async () => (await this.ask(what, file)) === expected, 5000);
	}
}

test('whatever is done to files, each open one stays what it was, and each name is what is stored by then', async t => {
	const drive = await startDrive(t, {transport: 'kernel'});
	const child = spawn('python3', [PROGRAM], {stdio: ['pipe', 'pipe', 'inherit']});
	t.teardown(() => child.kill('SIGKILL'));
	const answers = createInterface({input: child.stdout})[Symbol.asyncIterator]();
	const ask = async (...command: unknown[]) => {
		child.stdin.write(JSON.stringify(command) + '\n');
		return (await answers.next()).value as string;
	};

	let runs = 0;
	let done = 0;
	const use = async (operations: readonly Operation[]) => {
		const world = new World(drive, ask, runs++);
		try {
			for (const each of operations) {
				await world.do(each);
				done++;
			}
		} finally {
			await world.end();
		}
	};

	const operations = fc.array(operation, {minLength: 5, maxLength: 60});
	await assertAlways(t, RUN_MS, operations, use);
	t.log(`${done} operations`);
	t.true(done > 100);
	t.notRegex(drive.mount.log, /failed unexpectedly|could not be taken|does not take/);
});
