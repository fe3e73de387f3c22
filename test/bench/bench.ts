import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import {run, type Result} from '../helpers/run.js';
import type {Cleanup} from './cleanup.js';
import {BenchDrive} from './drive.js';
import type {Runs} from './measure.js';
import type {BenchOrigin} from './origin.js';
import type {Row} from './report.js';
import {Worker} from './workers.js';

/** What a workload has at hand. */
export interface Bench {
	/** Empty, and gone afterwards. */
	readonly directory: string;
	readonly origin: BenchOrigin;
	readonly rounds: number;
	readonly cleanup: Cleanup;
	/** Options of node for the daemons, such as `--cpu-prof`. */
	readonly nodeOptions: readonly string[];
}

export interface Findings {
	readonly rows: readonly Row[];
	/** The runs of which the rows were made, by workload. */
	readonly runs: Readonly<Record<string, Runs>>;
}

export type Workload = (bench: Bench) => Promise<Findings>;

export const MIB = 1024 ** 2;

const PROGRAM_DEADLINE_MS = 60_000;

export function startWorkers(bench: Bench, count: number): Worker[] {
	return Array.from({length: count}, () => new Worker(bench.cleanup));
}

export interface DriveSettings {
	/** Of the directory that it is mounted at. */
	readonly name?: string;
	readonly flags?: readonly string[];
}

/** A daemon on a store, which exists. */
export function startDrive(
	{directory, cleanup, nodeOptions}: Bench,
	store: string,
	{name = 'mnt', flags = []}: DriveSettings = {},
): Promise<BenchDrive> {
	return BenchDrive.start({mountpoint: path.join(directory, name), cacheDir: store, cleanup, nodeOptions, flags});
}

/** Runs a program whose output nobody wants. */
export function runSilently(program: string, args: readonly string[]): Promise<Result> {
	return run('sh', ['-c', 'exec "$@" >/dev/null', 'sh', program, ...args], {deadlineMs: PROGRAM_DEADLINE_MS});
}

/** Writes `sizeBytes` of which no two blocks are alike, so that neither a disk nor a mistake can make them fewer. */
export async function writeNoise(file: string, sizeBytes: number): Promise<void> {
	await writeFile(file, noise(sizeBytes));
}

function* noise(sizeBytes: number): Generator<Buffer> {
	const block = Buffer.alloc(Math.min(MIB, sizeBytes));
	let state = 1;
	for (let at = 0; at < block.length; at++) {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		block[at] = state >>> 16;
	}

	for (let at = 0; at < sizeBytes; at += block.length) {
		if (block.length >= 8) block.writeBigUInt64LE(BigInt(at));
		yield Buffer.from(block.subarray(0, Math.min(block.length, sizeBytes - at)));
	}
}
