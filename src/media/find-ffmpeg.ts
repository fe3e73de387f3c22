import {constants} from 'node:fs';
import {access, stat} from 'node:fs/promises';
import path from 'node:path';
import {messageOf, systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {SingleFlight} from '../base/single-flight.js';
import {staticBinary} from './ffmpeg.js';
import {probeFfmpeg} from './probe-ffmpeg.js';

export interface FindOptions {
	/** What the user configured: tried first, the others if it does not work. */
	readonly configuredPath: string | undefined;
	/** Folders to look for `ffmpeg` in, separated by colons; only absolute ones count. */
	readonly searchPath: string;
	readonly log: Log;
	/** The module from which the package ffmpeg-static is looked for; this one unless given. */
	readonly packageFrom?: string;
	/** How long a binary may take to answer `-version`. */
	readonly probeTimeoutMs?: number;
}

/** `-version` takes 55 ms here; a cold network mount may take seconds. */
const PROBE_TIMEOUT_MS = 5000;

/** A place to look: `binary` is a path there, or `absent` says why there is none. */
interface Candidate {
	readonly source: string;
	readonly binary?: string;
	readonly absent?: string;
}

/**
 * Finds an ffmpeg that works: the configured one, else the one of the package
 * ffmpeg-static, else each `ffmpeg` on the search path. What was found is kept
 * for as long as its file is the same; that there was none is not kept, so an
 * ffmpeg installed later is found.
 */
export class FfmpegFinder {
	#found: {readonly binary: string; readonly identity: string} | undefined;
	readonly #probing = new SingleFlight<'probe', string>();

	constructor(private readonly options: FindOptions) {}

	/**
	 * The absolute path of the binary.
	 *
	 * @throws Error that lists what was tried and why each did not work.
	 */
	async find(): Promise<string> {
		const found = this.#found;
		if (found !== undefined && (await identityOf(found.binary)) === found.identity) return found.binary;
		return this.#probing.run('probe', () => this.#probe());
	}

	async #probe(): Promise<string> {
		const {log, searchPath, probeTimeoutMs = PROBE_TIMEOUT_MS} = this.options;
		const tried: string[] = [];
		for (const {source, binary, absent} of await this.#candidates()) {
			if (binary === undefined) {
				tried.push(`${source}: ${absent}`);
				continue;
			}

			try {
				const identity = await identityOf(binary);
				const version = await probeFfmpeg(binary, {timeoutMs: probeTimeoutMs, searchPath});
				this.#found = {binary, identity: identity ?? ''};
				log.info('found ffmpeg', {source, binary, version});
				return binary;
			} catch (error) {
				const reason = `${binary} ${messageOf(error)}`;
				tried.push(`${source}: ${reason}`);
				log.warn('an ffmpeg cannot be used', {source, reason});
			}
		}

		throw new Error(`no ffmpeg that works was found (${tried.join('; ')})`);
	}

	async #candidates(): Promise<Candidate[]> {
		const {configuredPath, searchPath, packageFrom = import.meta.url} = this.options;
		const configured =
			configuredPath === undefined ? [] : [{source: 'configured', binary: path.resolve(configuredPath)}];
		return [...configured, packaged(packageFrom), ...(await onPath(searchPath))];
	}
}

function packaged(from: string): Candidate {
	const source = 'ffmpeg-static';
	try {
		return {source, binary: staticBinary(from)};
	} catch (error) {
		return {source, absent: systemCode(error) === 'MODULE_NOT_FOUND' ? 'not installed' : messageOf(error)};
	}
}

/** A relative folder is skipped: what it means depends on where the daemon was started. */
async function onPath(searchPath: string): Promise<Candidate[]> {
	const found: Candidate[] = [];
	for (const folder of new Set(searchPath.split(path.delimiter).filter(entry => path.isAbsolute(entry)))) {
		const binary = path.join(folder, 'ffmpeg');
		if (await isExecutable(binary)) found.push({source: 'PATH', binary});
	}

	return found.length > 0 ? found : [{source: 'PATH', absent: `no ffmpeg in "${searchPath}"`}];
}

async function isExecutable(file: string): Promise<boolean> {
	try {
		await access(file, constants.X_OK);
		return (await stat(file)).isFile();
	} catch {
		return false;
	}
}

/** Changes when the file is replaced or rewritten; undefined when it is gone. */
async function identityOf(file: string): Promise<string | undefined> {
	try {
		const {dev, ino, size, mtimeMs, mode} = await stat(file);
		return [dev, ino, size, mtimeMs, mode].join(':');
	} catch {
		return undefined;
	}
}
