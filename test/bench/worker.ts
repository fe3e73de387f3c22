/**
 * A process that does one job after another, so that what is measured has its
 * compiled code warm, and who hangs on a mount is not the benchmark. It starts
 * no clock before it has all it needs.
 */
import {createHash, type Hash} from 'node:crypto';
import {once} from 'node:events';
import {closeSync, createWriteStream, fstatSync, openSync, readSync, statSync} from 'node:fs';
import http from 'node:http';
import {pipeline} from 'node:stream/promises';
import fetch from 'node-fetch';
import {SYSTEM_CLOCK} from '../../src/base/clock.js';
import {NO_LOG} from '../../src/base/log.js';
import {Drive} from '../../src/fs/drive.js';
import {openCache} from '../../src/library/open.js';
import {Dispatcher} from '../../src/transport/dispatch.js';
import {Loopback, LOOPBACK_CAPABILITIES as capabilities} from '../../src/transport/loopback.js';
import {putLikeOriginal} from '../helpers/original.js';
import {forgetPages} from './forget-pages.js';
import {READ_BYTES, type Done, type Job, type Numbered} from './jobs.js';
import {serve, timed} from './serve.js';

const DEADLINES = {openMs: 60_000, readMs: 60_000, otherMs: 10_000};
const MAX_SIZE_BYTES = 100e9;

serve(run);

function run(job: Job): Promise<Done> {
	switch (job.kind) {
		case 'read':
			return read(job);
		case 'heads':
			return readHeads(job);
		case 'stat':
			return statEach(job);
		case 'pages':
			return readPages(job);
		case 'part':
			return readPart(job);
		case 'fetch-part':
			return fetchPart(job);
		case 'plant':
			return plantShare(job);
		case 'fetch':
			return fetchInto(job.url, job.file);
		case 'loopback':
			return loopback(job.cacheDir, job.urls, job.readers);
	}
}

function read({files, hash: isHashed = false, forgets = false}: Job & {kind: 'read'}): Promise<Done> {
	const buffer = Buffer.alloc(READ_BYTES);
	const hash = isHashed ? createHash('sha256') : undefined;
	const prepare = forgets ? forgetPages : () => undefined;
	return timed(() => {
		let bytes = 0;
		for (const file of files) bytes += readFile(file, buffer, {hash, prepare});
		return bytes;
	}, hash);
}

interface Reading {
	readonly hash: Hash | undefined;
	/** Called with the descriptor before the first read. */
	readonly prepare: (descriptor: number) => void;
}

function readFile(file: string, buffer: Buffer, {hash, prepare}: Reading): number {
	const descriptor = openSync(file, 'r');
	try {
		prepare(descriptor);
		let bytes = 0;
		for (;;) {
			const length = readSync(descriptor, buffer);
			if (length === 0) return bytes;
			hash?.update(buffer.subarray(0, length));
			bytes += length;
		}
	} finally {
		closeSync(descriptor);
	}
}

function readHeads({bytes, ...numbered}: Job & {kind: 'heads'}): Promise<Done> {
	const files = filesOf(numbered);
	const buffer = Buffer.alloc(bytes);
	return timed(() => {
		let total = 0;
		for (const file of files) {
			const descriptor = openSync(file, 'r');
			total += readSync(descriptor, buffer);
			closeSync(descriptor);
		}

		return total;
	});
}

function statEach(numbered: Numbered): Promise<Done> {
	const files = filesOf(numbered);
	return timed(() => files.reduce((total, file) => total + statSync(file).size, 0));
}

function filesOf({prefix, first, step, count}: Numbered): string[] {
	return Array.from({length: count}, (_, index) => `${prefix}${first + index * step}`);
}

const PAGE_BYTES = 4096;

function readPages({file, count}: Job & {kind: 'pages'}): Promise<Done> {
	const buffer = Buffer.alloc(PAGE_BYTES);
	const descriptor = openSync(file, 'r');
	const pages = shuffled(Math.floor(fstatSync(descriptor).size / PAGE_BYTES)).slice(0, count);
	return timed(() => {
		let total = 0;
		for (const page of pages) total += readSync(descriptor, buffer, 0, PAGE_BYTES, page * PAGE_BYTES);
		return total;
	}).finally(() => closeSync(descriptor));
}

/** The numbers from 0 on, the same way each time. */
function shuffled(count: number): Uint32Array {
	const numbers = Uint32Array.from({length: count}, (_, index) => index);
	let state = 1;
	for (let last = count - 1; last > 0; last--) {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		const other = Math.floor((state / 2 ** 32) * (last + 1));
		[numbers[last], numbers[other]] = [numbers[other] ?? 0, numbers[last] ?? 0];
	}

	return numbers;
}

function readPart({file, position, bytes}: Job & {kind: 'part'}): Promise<Done> {
	const hash = createHash('sha256');
	return timed(() => {
		const buffer = Buffer.alloc(bytes);
		const descriptor = openSync(file, 'r');
		try {
			let length = 0;
			for (let count = -1; count !== 0 && length < bytes; length += count) {
				count = readSync(descriptor, buffer, length, bytes - length, position + length);
			}

			hash.update(buffer.subarray(0, length));
			return length;
		} finally {
			closeSync(descriptor);
		}
	}, hash);
}

function fetchPart({url, position, bytes}: Job & {kind: 'fetch-part'}): Promise<Done> {
	const hash = createHash('sha256');
	return timed(async () => {
		const request = http.get(url, {headers: position === 0 ? {} : {range: `bytes=${position}-`}});
		const [response] = (await once(request, 'response')) as [http.IncomingMessage];
		let length = 0;
		for await (const chunk of response as AsyncIterable<Buffer>) {
			hash.update(chunk.subarray(0, bytes - length));
			length = Math.min(bytes, length + chunk.byteLength);
			if (length === bytes) break;
		}

		return length;
	}, hash);
}

function plantShare({store, prefix, from, to, sizeBytes}: Job & {kind: 'plant'}): Promise<Done> {
	const fields = {mimetype: 'application/octet-stream', filename: 'planted'};
	return timed(() => {
		for (let index = from; index < to; index++) {
			putLikeOriginal(store, `${prefix}${index}`, `${index}`.padEnd(sizeBytes), fields);
		}

		return (to - from) * sizeBytes;
	});
}

function fetchInto(url: string, file: string): Promise<Done> {
	return timed(async () => {
		const {body, headers} = await fetch(url);
		if (body === null) throw new Error(`${url} has no body`);
		await pipeline(body, createWriteStream(file));
		return Number(headers.get('content-length'));
	});
}

async function loopback(cacheDir: string, urls: readonly string[], readers: number): Promise<Done> {
	const cache = openCache({directory: cacheDir, defaults: {maxBytes: MAX_SIZE_BYTES}});
	const drive = new Drive(cache, {isReadOnly: false, isShared: false, capabilities, clock: SYSTEM_CLOCK});
	const transport = new Loopback(drive, new Dispatcher(NO_LOG), DEADLINES);
	try {
		await cache.load();
		const left = [...urls];
		const readSome = async () => {
			const buffer = Buffer.alloc(READ_BYTES);
			let bytes = 0;
			for (let url = left.shift(); url !== undefined; url = left.shift())
				bytes += await readUrl(transport, url, buffer);
			return bytes;
		};
		return await timed(async () => {
			const read = await Promise.all(Array.from({length: readers}, readSome));
			return read.reduce((sum, bytes) => sum + bytes, 0);
		});
	} finally {
		await transport.unmount();
		await cache.close();
	}
}

async function readUrl(transport: Loopback, url: string, buffer: Buffer): Promise<number> {
	const file = await transport.open(`/by-url/${encodeURIComponent(url)}`);
	try {
		let bytes = 0;
		for (;;) {
			const length = await file.read(buffer, bytes);
			if (length === 0) return bytes;
			bytes += length;
		}
	} finally {
		await file.close();
	}
}
