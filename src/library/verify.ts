import path from 'node:path';
import {SYSTEM_CLOCK} from '../base/clock.js';
import {Verification, type VerifyOptions} from '../store/verify.js';

export type {Finding, Summary, Verification, VerifyOptions} from '../store/verify.js';

/** Looks over a cache directory without opening the cache, for that would make good what is wrong with the catalogue. */
export function verifyDirectory(directory: string, options: VerifyOptions): Verification {
	return new Verification(path.resolve(directory), options, {clock: SYSTEM_CLOCK});
}
