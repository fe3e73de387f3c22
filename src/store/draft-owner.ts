/** Whose a file under `downloads/` is: its name says so. */
import {isOwnSuffix, uniqueSuffix} from '../base/atomic-file.js';
import {systemCode} from '../base/errors.js';
import type {Key} from './key.js';

export interface DraftOwner {
	readonly key: Key;
	readonly pid: number;
	/** An earlier process of the same number is another one. */
	readonly isThisProcess: boolean;
}

/** `<key>.<pid>.<random>`: the sweep after a crash asks whether the writer is alive. */
export function draftName(key: Key): string {
	return `${key}.${process.pid}.${uniqueSuffix()}`;
}

/** The process that a name under `downloads/` belongs to; undefined for other names. */
export function draftOwner(name: string): DraftOwner | undefined {
	const match = /^([0-9a-f]{64})(?:\.(?:dat|json))?\.(\d+)\.([0-9a-f]+)(?:\.\w+)?$/.exec(name);
	const [, key, pid, suffix] = match ?? [];
	if (key === undefined || pid === undefined || suffix === undefined) return undefined;
	return {key, pid: Number(pid), isThisProcess: isOwnSuffix(suffix)};
}

/**
 * Whether the process that a draft belongs to is there. Of a dead one whose number
 * another process has now it cannot be told, unless it is this one.
 */
export function isAtWork({pid, isThisProcess}: DraftOwner): boolean {
	if (pid === process.pid) return isThisProcess;
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return systemCode(error) === 'EPERM';
	}
}
