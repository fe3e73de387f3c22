/** Reading through the kernel from an origin that sends 20 MB/s and no more: what it costs in bytes, and what in time. */
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {median} from '../bench/measure.js';
import {arrivedOf} from '../helpers/arrived.js';
import {evaluate, fetchAll, listed, sha256, testWith} from '../helpers/drive.js';
import {ForkedOrigin} from '../helpers/forked-origin.js';
import {Mount, type MountOptions} from '../helpers/mount.js';
import {generatedBody, generatedPart, type Behaviour} from '../helpers/origin.js';
import {sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const MIB = 1024 * 1024;
const RATE = 20_000_000;
/** So that what is sent is what is fetched, and not what the kernel would keep of it. */
const SEND_BUFFER_BYTES = 64 * 1024;
const FILM: Behaviour = {size: 512 * MIB, ranges: true, etag: '"film"'};
const ROUNDS = 5;
/** What two connections may hold, beside what is read of them. */
const SOCKET_BYTES = 6 * MIB;
/** More than the drive adds to the first byte, of a run at least that nothing else was in the way of. */
const FIRST_BYTE_MS = 500;

async function startPaced(
	t: ExecutionContext,
	options: MountOptions = {},
): Promise<{mount: Mount; origin: ForkedOrigin}> {
	const origin = await ForkedOrigin.start(t, {rate: RATE, sendBufferBytes: SEND_BUFFER_BYTES});
	return {origin, mount: await Mount.start(t, options)};
}

/** Waits until nothing is being downloaded: what was sent then does not grow. */
async function settled(mount: Mount, deadlineMs = 20_000): Promise<void> {
	const isIdle = async () => (await mount.stats())['downloads_running'] === 0;
	await until('no download runs', isIdle, deadlineMs);
}

/** The milliseconds that an expression takes in a process of its own, where `f` is a file or a URL. */
async function timed(expression: string, name: string): Promise<number> {
	const taken = `(async () => {
		const from = performance.now();
		await ${expression};
		return performance.now() - from;
	})()`;
	const ms = Number(await evaluate(taken, [name]));
	if (Number.isNaN(ms)) throw new Error(`${name} was not read`);
	return ms;
}

/** Opens a file, and reads its first byte. */
const FIRST_OF_FILE = 'fs.readSync(fs.openSync(f), Buffer.alloc(1))';
/** Asks for a URL, and leaves with its first bytes. */
const FIRST_OF_URL = `new Promise((resolve, reject) => require('http').get(f, response => {
	response.once('data', () => resolve(response.destroy()));
}).once('error', reject))`;

const show = (values: readonly number[]) => values.map(value => value.toFixed(1)).join(', ');

test.serial('the first byte of 512 MiB comes about as soon as from the origin itself', async t => {
	const {mount, origin} = await startPaced(t);
	const [drive, direct]: [number[], number[]] = [[], []];
	for (let round = 0; round < ROUNDS; round++) {
		const url = await origin.serve(`/film/${round}`, FILM);
		direct.push(await timed(FIRST_OF_URL, url));
		drive.push(await timed(FIRST_OF_FILE, mount.path(url)));
		await settled(mount);
	}

	t.log(
		`first byte of 512 MiB at 20 MB/s: ${median(drive).toFixed()} ms, the origin itself ${median(direct).toFixed()} ms`,
	);
	t.log(`of these runs: ${show(drive)}; ${show(direct)}`);
	t.true(Math.min(...drive) < median(direct) + FIRST_BYTE_MS);
});

test.serial('the last 64 KiB of 512 MiB are right, and less than a MiB is sent for them', async t => {
	const {mount, origin} = await startPaced(t);
	const size = 512 * MIB;
	const sent: number[] = [];
	const expected = sha256(generatedPart(size - 65_536, size));
	for (let round = 0; round < ROUNDS; round++) {
		const url = await origin.serve(`/film/${round}`, FILM);
		const from = performance.now();
		const {stdout} = await sh('tail -c 65536 "$1" | sha256sum', mount.path(url));
		t.log(`last 64 KiB of 512 MiB at 20 MB/s: ${(performance.now() - from).toFixed()} ms`);
		t.is(stdout.slice(0, 64), expected);
		await settled(mount);
		const arrived = (await arrivedOf(mount.cacheDir, sha256(url)))?.size ?? 0;
		t.true(arrived < MIB, `${arrived} bytes`);
		sent.push((await origin.counts(`/film/${round}`)).bytesSent);
	}

	isLessThanMib(t, sent);
});

/** Sent is also what the sockets have taken while a machine that is busy came to no decision. */
function isLessThanMib(t: ExecutionContext, sent: readonly number[]): void {
	t.log(`sent for them: ${sent.join(', ')} bytes`);
	t.true(Math.min(...sent) < MIB, String(sent));
	t.true(Math.max(...sent) < MIB + SOCKET_BYTES, String(sent));
}

test.serial(
	'64 readers of one cold URL of 8 MiB make one request, it is sent once, and each gets all of it',
	async t => {
		const {mount, origin} = await startPaced(t);
		const url = await origin.serve('/one', {...FILM, size: 8 * MIB});
		const from = performance.now();
		const {stdout} = await sh('for reader in $(seq 64); do sha256sum < "$1" & done; wait', mount.path(url));
		const ms = performance.now() - from;
		t.deepEqual(
			stdout
				.trim()
				.split('\n')
				.map(line => line.slice(0, 64)),
			Array.from({length: 64}, () => sha256(generatedBody(8 * MIB))),
		);
		await settled(mount);
		t.deepEqual(await origin.counts(), {requests: 1, bytesSent: 8 * MIB});
		t.log(`64 readers of 8 MiB at 20 MB/s: ${ms.toFixed()} ms; the bytes alone take ${((8 * MIB) / RATE) * 1000} ms`);
	},
);

test.serial('head of 10 GB fetches less than a MiB, and evicts nothing from a full cache of 64 MB', async t => {
	const {mount, origin} = await startPaced(t, {flags: ['--max-size', '64MB']});
	const kept = await Promise.all(
		Array.from({length: 7}, (_, index) => origin.serve(`/kept/${index}`, {...FILM, size: 9_000_000})),
	);
	await fetchAll(mount, ...kept);
	const sent: number[] = [];
	for (let round = 0; round < ROUNDS; round++) {
		const url = await origin.serve(`/huge/${round}`, {...FILM, size: 10_000_000_000});
		const {stdout} = await sh('head -c 100 "$1" | sha256sum', mount.path(url));
		t.is(stdout.slice(0, 64), sha256(generatedPart(0, 100)));
		await settled(mount);
		sent.push((await origin.counts(`/huge/${round}`)).bytesSent);
	}

	isLessThanMib(t, sent);
	const entries = await listed(mount);
	for (const one of kept) t.true(entries.includes(encodeURIComponent(one)), one);
	t.is((await mount.stats())['evicted'], 0);
});

testWith(['file'], 'file * over what is cached asks the origin for nothing', async t => {
	const {mount, origin} = await startPaced(t);
	const bodies = ['plain text', '%PDF-1.4 a document', '#!/bin/sh', '\x7fELF'];
	const urls = await Promise.all(bodies.map((body, index) => origin.serve(`/${index}`, {body, etag: '"one"'})));
	const large = await origin.serve('/large', {...FILM, size: 4 * MIB});
	await fetchAll(mount, ...urls, large);
	const before = await origin.counts();
	const {code, stdout} = await sh('cd "$1" && file *', path.join(mount.directory, 'by-url'));
	t.is(code, 0);
	t.is(stdout.trim().split('\n').length, 5);
	t.regex(stdout, /PDF document/);
	t.deepEqual(await origin.counts(), before);
});
