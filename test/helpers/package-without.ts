import {cp, mkdir, readdir, symlink} from 'node:fs/promises';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {workDirectory} from './drive.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');

/**
 * A copy of the compiled package in which some packages are not installed.
 * Of a scope (`@koromix`) all that is below it.
 *
 * @param copied - packages that are copied, so that they look for others in the copy too.
 * @returns the program.
 */
export async function packageWithout(
	t: ExecutionContext,
	missing: readonly string[],
	copied: readonly string[] = [],
): Promise<string> {
	const copy = await workDirectory(t);
	const modules = path.join(copy, 'node_modules');
	await mkdir(modules);
	await cp(path.join(ROOT, 'dist/src'), path.join(copy, 'dist/src'), {recursive: true});
	await cp(path.join(ROOT, 'package.json'), path.join(copy, 'package.json'));
	for (const name of await readdir(path.join(ROOT, 'node_modules'))) {
		if (missing.includes(name) || name.startsWith('.')) continue;
		const [from, to] = [path.join(ROOT, 'node_modules', name), path.join(modules, name)];
		await (copied.includes(name) ? cp(from, to, {recursive: true}) : symlink(from, to));
	}

	return path.join(copy, 'dist/src/cli/main.js');
}
