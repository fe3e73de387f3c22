/** Where the entry of a key lies: `base/namespace/sha256(key)`. */
import {createHash} from 'node:crypto';
import {lstatSync, mkdirSync} from 'node:fs';
import path from 'node:path';

/** What is ours beside the namespaces: files on their way, and locks. */
const OURS = '.larder';

/**
 * The path of the file for `key`. Nothing is created, and nothing is looked at.
 *
 * `cachePath('/c', 'https://a.example/x')` -> `/c/default/3f1c…`, 64 hex digits
 *
 * @param key - any string that has a form in UTF-8.
 * @param namespace - a directory under `baseDir`, or a path of several: `users/42`.
 * @throws RangeError for a namespace that is empty, absolute or has `.`, `..`,
 *   an empty part, one of more than 255 bytes or NUL, and for a lone surrogate
 *   in it or in the key.
 */
export function cachePath(baseDir: string, key: string, namespace = 'default'): string {
	return `${namespacePath(baseDir, namespace)}/${digestOf(key)}`;
}

/** @throws RangeError */
export function namespacePath(baseDir: string, namespace: string): string {
	if (!isNamespace(namespace)) {
		throw new RangeError(`${JSON.stringify(namespace)} is no namespace: it must be a relative path without . and ..`);
	}

	return path.join(baseDir, namespace);
}

/**
 * Whether no part of a namespace is a symbolic link, or anything else but a
 * directory; undefined where one is not there. `baseDir` itself may be a link.
 */
export function isSoundNamespace(baseDir: string, namespace: string): boolean | undefined {
	for (let at = namespace.indexOf('/'), end = false; !end; at = namespace.indexOf('/', at + 1)) {
		end = at === -1;
		const part = path.join(baseDir, end ? namespace : namespace.slice(0, at));
		const there = lstatSync(part, {throwIfNoEntry: false});
		if (there === undefined) return undefined;
		if (!there.isDirectory()) return false;
	}

	return true;
}

/** Makes the directory of a namespace, with the mode that the umask leaves: others may share the cache. */
export function makeNamespace(baseDir: string, namespace: string): void {
	const directory = namespacePath(baseDir, namespace);
	const isSound = isSoundNamespace(baseDir, namespace);
	if (isSound === false) throw new RangeError(`the namespace ${JSON.stringify(namespace)} leads through a link`);
	if (isSound === undefined) mkdirSync(directory, {recursive: true});
}

/** A directory of ours, which is made: `base/.larder/<name>`. */
export function ownDirectory(baseDir: string, name: 'incoming' | 'locks'): string {
	const directory = path.join(baseDir, OURS, name);
	mkdirSync(directory, {recursive: true});
	return directory;
}

/** sha256 over UTF-8, 64 lower-case hex digits. */
export function digestOf(key: string): string {
	if (!key.isWellFormed()) throw new RangeError('a key with a lone surrogate has no UTF-8 form');
	return createHash('sha256').update(key, 'utf8').digest('hex');
}

/** Whether a directory under the base is none of ours. */
export function isNamespace(name: string): boolean {
	return (
		PLAIN.test(name) || (name !== '' && !name.includes('\0') && name.isWellFormed() && name.split('/').every(isPart))
	);
}

/** What nearly all are. */
const PLAIN = /^[\w-]{1,255}$/;

/** Of a name in a directory, on Linux. */
const MAX_NAME_BYTES = 255;

function isPart(part: string, index: number): boolean {
	if (Buffer.byteLength(part) > MAX_NAME_BYTES) return false;
	return part !== '' && part !== '.' && part !== '..' && !(index === 0 && part === OURS);
}
