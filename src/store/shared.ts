import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {CacheError, messageOf, systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {Catalogue} from './catalogue.js';
import {assertLocal, isReadOnly} from './file-system.js';
import {KeyLocks} from './key-locks.js';
import {Layout} from './layout.js';

/** What the processes that have a directory open share. */
export interface Shared {
	readonly layout: Layout;
	readonly catalogue: Catalogue;
	readonly locks: KeyLocks;
	/** Writes what was noted, and lets go of all of it. */
	close(): Promise<void>;
}

/**
 * Opens the catalogue and the locks of a directory, which is made if it is
 * missing. Where its disk is full or read-only they are made elsewhere, for this
 * process alone: a full cache must still start, to evict.
 *
 * @throws CacheError `not-permitted` for a directory that is not this user's.
 */
export function openShared(root: string, log: Log): Shared {
	const layout = new Layout(root);
	layout.create();
	assertLocal(root);
	try {
		return open(layout, log);
	} catch (cause) {
		// Of a file that SQLite cannot open it does not say why.
		if (!isUnwritable(cause) && !isReadOnly(root)) throw explained(root, cause);
		const reason = messageOf(cause);
		log.warn('the catalogue cannot be kept in the cache directory: this process uses one of its own', {reason});
	}

	return openElsewhere(root, log);
}

function openElsewhere(root: string, log: Log): Shared {
	const elsewhere = mkdtempSync(path.join(tmpdir(), 'larder-'));
	const remove = () => rmSync(elsewhere, {recursive: true, force: true});
	try {
		const layout = new Layout(root, elsewhere);
		layout.create();
		const shared = open(layout, log);
		return {...shared, close: () => shared.close().finally(remove)};
	} catch (error) {
		remove();
		throw error;
	}
}

function open(layout: Layout, log: Log): Shared {
	const locks = new KeyLocks(layout.locks);
	try {
		const catalogue = new Catalogue(layout, log);
		return {layout, locks, catalogue, close: () => catalogue.close().finally(() => locks.close())};
	} catch (error) {
		locks.close();
		throw error;
	}
}

/** The disk is full, or no one may write to it. SQLite's codes: https://www.sqlite.org/rescode.html */
function isUnwritable(error: unknown): boolean {
	return /^(ENOSPC|EDQUOT|EROFS|SQLITE_FULL|SQLITE_READONLY.*|SQLITE_IOERR_(WRITE|SHMSIZE|SHMOPEN))$/.test(
		systemCode(error) ?? '',
	);
}

function explained(root: string, cause: unknown): unknown {
	if (!['EACCES', 'EPERM', 'SQLITE_CANTOPEN'].includes(systemCode(cause) ?? '')) return cause;
	const advice = `all of it must belong to the user who runs larder: chown -R USER ${root}`;
	return new CacheError('not-permitted', `${root} cannot be used: ${messageOf(cause)}; ${advice}`, {cause});
}
