/** What a base directory holds. */
import {readdirSync, type Dirent} from 'node:fs';
import path from 'node:path';
import {parseEntry, readText} from './entry.js';
import {digestOf, isNamespace, isSoundNamespace, namespacePath} from './path.js';

export interface ListedKey {
	/** Undefined in files that the original wrote: they do not say. */
	readonly key: string | undefined;
	readonly path: string;
	/** Epoch seconds. */
	readonly ts: number;
}

/** The entries of a namespace, in no order; what is none is passed over. */
export function* cacheKeys(baseDir: string, namespace = 'default'): Generator<ListedKey, void> {
	const directory = namespacePath(baseDir, namespace);
	if (isSoundNamespace(baseDir, namespace) !== true) return;
	for (const {name} of entriesOf(directory)) {
		const file = path.join(directory, name);
		const entry = parseEntry(readText(file));
		const key = entry?.key;
		if (entry !== undefined && (key === undefined || (key.isWellFormed() && digestOf(key) === name))) {
			yield {key, path: file, ts: entry.ts};
		}
	}
}

/** All directories under the base in which entries may lie, without links and without what is ours. */
export function* namespaceDirectories(baseDir: string, namespace = ''): Generator<string, void> {
	for (const entry of list(path.join(baseDir, namespace))) {
		const name = namespace === '' ? entry.name : `${namespace}/${entry.name}`;
		if (!entry.isDirectory() || !isNamespace(name)) continue;
		yield path.join(baseDir, name);
		yield* namespaceDirectories(baseDir, name);
	}
}

/** Files whose name is a digest. */
export function entriesOf(directory: string): Dirent[] {
	return list(directory).filter(entry => entry.isFile() && DIGEST.test(entry.name));
}

const DIGEST = /^[0-9a-f]{64}$/;

/** Nothing where there is no such directory. */
export function list(directory: string): Dirent[] {
	try {
		return readdirSync(directory, {withFileTypes: true});
	} catch {
		return [];
	}
}
