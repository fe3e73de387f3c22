/** A lock that one of all processes has, and that a dead holder does not keep. */
import {mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {systemCode} from '../../base/errors.js';
import {isAbandoned, ownedName} from '../../base/owned-name.js';

/**
 * A directory with one file, whose name says who holds it. rename(2) puts a
 * directory in the place of an empty one or of none, and of no other: so it is
 * taken by one alone. Who finds its holder dead removes that file, which is the
 * dead one's and nobody else's, whoever has the lock by then.
 */
export class KeyLock {
	#held: string | undefined;

	/** @param directory - the lock; what it lies in is there. */
	constructor(private readonly directory: string) {}

	/** Takes the lock if nobody who lives has it. */
	tryLock(): boolean {
		const name = ownedName();
		const claim = `${this.directory}.${name}`;
		mkdirSync(claim);
		try {
			writeFileSync(path.join(claim, name), '', {flag: 'wx'});
			if (!this.#take(claim) && !(this.#removeDead() && this.#take(claim))) return false;
			this.#held = path.join(this.directory, name);
			return true;
		} finally {
			// What was taken has another name by now.
			rmSync(claim, {recursive: true, force: true});
		}
	}

	/** Gives it back. One that was taken for dead has nothing to give. */
	unlock(): void {
		if (this.#held === undefined) return;
		rmSync(this.#held, {force: true});
		this.#held = undefined;
		try {
			rmdirSync(this.directory);
		} catch {
			// It is another's by now.
		}
	}

	#take(claim: string): boolean {
		try {
			renameSync(claim, this.directory);
			return true;
		} catch (error) {
			if (['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) return false;
			throw error;
		}
	}

	/** Whether a dead holder was there. */
	#removeDead(): boolean {
		let names: string[];
		try {
			names = readdirSync(this.directory);
		} catch {
			return true; // given back meanwhile
		}

		const dead = names.filter(isAbandoned);
		for (const name of dead) rmSync(path.join(this.directory, name), {force: true});
		return dead.length === names.length;
	}
}
