/** File names that say which process made them, so that another can tell what is left over. */
import {uniqueSuffix} from './atomic-file.js';
import {isAlive, thisProcess} from './process-identity.js';

/** `<pid>-<start time>-<boot id>-<random>`: unique, and of this process. */
export function ownedName(): string {
	const {pid, startTime, bootId} = thisProcess();
	return `${pid}-${startTime}-${bootId}-${uniqueSuffix()}`;
}

/** Whether a name was made by `ownedName` in a process that has ended. Of other names it is false. */
export function isAbandoned(name: string): boolean {
	const [, pid, startTime = '', bootId = ''] = OWNED.exec(name) ?? [];
	return pid !== undefined && !isAlive({pid: Number(pid), startTime, bootId});
}

const OWNED = /^(\d+)-(\d+)-([0-9a-f-]{36})-[0-9a-f]+$/;
