import {createHash} from 'node:crypto';
import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import {ForkedOrigin} from '../helpers/forked-origin.js';
import {generatedBody, generatedPart, type Behaviour} from '../helpers/origin.js';
import {run} from '../helpers/run.js';
import {MIB, startDrive, startWorkers, type Bench, type Findings} from './bench.js';
import {curl} from './curl.js';
import type {BenchDrive} from './drive.js';
import {makeFilm} from './film.js';
import type {Job} from './jobs.js';
import {interleave, type Runs, type Sample} from './measure.js';
import {rowOfRequests, rowOfSent, rowsOf, sentLess} from './report.js';
import type {Worker} from './workers.js';

const RATE = 20_000_000;
/** So that what is sent is what is fetched, and not what the kernel would keep of it. */
const SEND_BUFFER_BYTES = 64 * 1024;
const AT = 'at 20 MB/s';
const SIZE_BYTES = 512 * MIB;
const TAIL_BYTES = 64 * 1024;
const FILM_BYTES = 500_000_000;
const SHARED_BYTES = 8 * MIB;
const READERS = 64;
const RANGES: Behaviour = {ranges: true, etag: '"one"', type: 'video/mp4'};
const DEADLINE_MS = 120_000;

/** A part of a body. */
interface Part {
	readonly position: number;
	readonly bytes: number;
}

/** What each of the workloads has at hand. */
interface Paced {
	readonly bench: Bench;
	readonly origin: ForkedOrigin;
	readonly drive: BenchDrive;
	/** One for the drive, one for the origin. */
	readonly workers: readonly [Worker, Worker];
}

/** Parts of URLs that nobody has read before, from an origin that sends 20 MB/s altogether: the wait, and what is sent for them. */
export async function seeking(bench: Bench): Promise<Findings> {
	const store = path.join(bench.directory, 'store');
	await mkdir(store);
	const origin = await ForkedOrigin.open({rate: RATE, sendBufferBytes: SEND_BUFFER_BYTES});
	bench.cleanup.add(() => origin.kill());
	const drive = await startDrive(bench, store);
	const paced: Paced = {bench, origin, drive, workers: startWorkers(bench, 2) as [Worker, Worker]};
	await origin.serve('/large', {...RANGES, size: SIZE_BYTES});
	const all = [await firstByte(paced), await lastBytes(paced), await firstFrame(paced), await manyReaders(paced)];
	return {
		rows: all.flatMap(({rows}) => rows),
		runs: Object.fromEntries(all.flatMap(({runs}) => Object.entries(runs))),
	};
}

async function firstByte(paced: Paced): Promise<Findings> {
	const workload = `first byte of 512 MiB ${AT}`;
	const runs = await readParts(paced, 'first', {position: 0, bytes: 1});
	const rows = rowsOf(runs, {workload, amount: 'time', against: {larder: ['the origin itself']}});
	return {rows, runs: {[workload]: runs}};
}

async function lastBytes(paced: Paced): Promise<Findings> {
	const workload = `last 64 KiB of 512 MiB ${AT}`;
	const runs = await readParts(paced, 'last', {position: SIZE_BYTES - TAIL_BYTES, bytes: TAIL_BYTES});
	const rows = rowsOf(runs, {workload, amount: 'time', against: {larder: ['the origin itself']}});
	const sent = rowOfSent(runs, 'larder', {workload: 'sent for them', targets: [sentLess(MIB, runs, 'larder')]});
	return {rows: [...rows, sent], runs: {[workload]: runs}};
}

function readParts({bench, origin, drive, workers}: Paced, name: string, part: Part): Promise<Runs> {
	const [reader, fetcher] = workers;
	return interleave(
		{
			'larder': async round => {
				const url = `/large?${name}${round}`;
				return counted(origin, drive, url, file => readPart(reader, {kind: 'part', file, ...part}));
			},
			'the origin itself': () => readPart(fetcher, {kind: 'fetch-part', url: origin.url('/large'), ...part}),
		},
		bench.rounds,
	);
}

/** @throws Error when the bytes are not those of the origin. */
async function readPart(worker: Worker, job: Job & Part): Promise<Sample> {
	const {seconds, sha256} = await worker.run(job);
	const expected = createHash('sha256').update(generatedPart(job.position, job.position + job.bytes));
	if (sha256 !== expected.digest('hex')) throw new Error(`${job.kind} at ${job.position} got other bytes`);
	return {seconds};
}

/** Adds to what is measured what the origin has sent for it, until nothing more is on its way. The entry goes. */
async function counted(
	origin: ForkedOrigin,
	drive: BenchDrive,
	name: string,
	work: (file: string) => Promise<Sample>,
): Promise<Sample> {
	const file = drive.path(origin.url(name));
	const sample = await drive.watch(() => work(file));
	await drive.quiet();
	const {requests, bytesSent} = await origin.counts(name);
	await run('rm', ['-f', file]);
	return {...sample, requests, sentBytes: bytesSent};
}

async function firstFrame({bench, origin, drive}: Paced): Promise<Findings> {
	const {code} = await run('sh', ['-c', 'command -v mpv && command -v ffmpeg']);
	if (code !== 0) {
		console.error('no film is shown: that takes mpv and ffmpeg');
		return {rows: [], runs: {}};
	}

	const film = path.join(bench.directory, 'film.mp4');
	await makeFilm(film, FILM_BYTES);
	await origin.serve('/film.mp4', {...RANGES, file: film});
	const runs = await interleave(
		{
			'larder': round => counted(origin, drive, `/film.mp4?${round}`, show),
			'mpv over HTTP': () => show(origin.url('/film.mp4')),
			'a plain file': () => show(film),
		},
		bench.rounds,
	);
	const workload = `first frame of a film of 500 MB, its index at the end, ${AT}`;
	const against = {'larder': ['mpv over HTTP', 'a plain file'], 'mpv over HTTP': ['a plain file']};
	const rows = rowsOf(runs, {workload, amount: 'time', against});
	return {rows: [...rows, rowOfSent(runs, 'larder', {workload: 'sent for it'})], runs: {[workload]: runs}};
}

/** From the start of mpv to its end, after one frame. */
async function show(film: string): Promise<Sample> {
	const from = performance.now();
	const args = ['--no-config', '--vo=null', '--ao=null', '--frames=1', film];
	const {code, stdout} = await run('mpv', args, {deadlineMs: DEADLINE_MS});
	if (code !== 0 || !stdout.includes('VO:')) throw new Error(`mpv failed: ${stdout}`);
	return {seconds: (performance.now() - from) / 1000};
}

async function manyReaders({bench, origin, drive}: Paced): Promise<Findings> {
	await origin.serve('/shared', {...RANGES, size: SHARED_BYTES});
	const expected = createHash('sha256').update(generatedBody(SHARED_BYTES)).digest('hex');
	const target = path.join(bench.directory, 'target');
	const runs = await interleave(
		{
			'larder': round => counted(origin, drive, `/shared?${round}`, file => readManyTimes(file, expected)),
			'one curl -o': () => curl(origin.url('/shared'), target),
		},
		bench.rounds,
	);
	const workload = `${READERS} readers of one cold URL of 8 MiB ${AT}`;
	const rows = rowsOf(runs, {workload, amount: 'time', against: {larder: ['one curl -o']}});
	const sent = {workload: 'sent for them'};
	return {
		rows: [...rows, rowOfRequests(runs, 'larder', sent), rowOfSent(runs, 'larder', sent)],
		runs: {[workload]: runs},
	};
}

/** @throws Error when one of the readers gets something else. */
async function readManyTimes(file: string, expected: string): Promise<Sample> {
	const script = `for reader in $(seq ${READERS}); do sha256sum < "$1" & done; wait`;
	const from = performance.now();
	const {stdout} = await run('sh', ['-c', script, 'sh', file], {deadlineMs: DEADLINE_MS});
	const seconds = (performance.now() - from) / 1000;
	const right = stdout.split('\n').filter(line => line.startsWith(expected)).length;
	if (right !== READERS) throw new Error(`${right} of ${READERS} readers got the right bytes`);
	return {seconds};
}
