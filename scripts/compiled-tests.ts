/** Keeps the compiled tests in step with their sources, which `tsc` does not: it never removes what it once wrote. */
import {existsSync, readdirSync, rmSync} from 'node:fs';
import path from 'node:path';

/**
 * Removes from `dist/test` what was compiled from sources that are gone, so
 * that a deleted test cannot run.
 *
 * @param root - the project's folder.
 * @returns the removed files, relative to `dist/`.
 */
export function removeStale(root: string): string[] {
	const dist = path.join(root, 'dist');
	const stale = filesIn(dist, 'test').filter(file => {
		const source = file.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
		return source !== file && !existsSync(path.join(root, source));
	});
	for (const file of stale) rmSync(path.join(dist, file));
	// A source that comes back unchanged would otherwise count as compiled, and its tests would be missing.
	if (stale.length > 0) rmSync(path.join(dist, '.tsbuildinfo'), {force: true});
	return stale;
}

/** The tests under `test/<suite>`, and those of them that were not compiled; both relative to `root`. */
export function testsOf(root: string, suite: string): {sources: string[]; missing: string[]} {
	const sources = filesIn(root, path.join('test', suite)).filter(file => file.endsWith('.test.ts'));
	const compiled = (source: string) => path.join(root, 'dist', source.replace(/\.ts$/, '.js'));
	return {sources, missing: sources.filter(source => !existsSync(compiled(source)))};
}

/**
 * The sources whose tests have these titles, as ava writes them where it runs several files; undefined
 * where a title is of none of them.
 *
 * @param sources - of `suite`, as `testsOf` tells them.
 */
export function sourcesOf(titles: readonly string[], suite: string, sources: readonly string[]): string[] | undefined {
	const of = (title: string) => sources.find(source => title.startsWith(`${titlePrefix(suite, source)} › `));
	const found = titles.map(of).filter(source => source !== undefined);
	return found.length === titles.length ? [...new Set(found)] : undefined;
}

function titlePrefix(suite: string, source: string): string {
	const file = path.relative(path.join('test', suite), source);
	return file
		.replace(/\.test\.ts$/, '')
		.split(path.sep)
		.join(' › ');
}

function filesIn(root: string, folder: string): string[] {
	if (!existsSync(path.join(root, folder))) return [];
	return readdirSync(path.join(root, folder), {recursive: true, withFileTypes: true})
		.filter(entry => entry.isFile())
		.map(entry => path.relative(root, path.join(entry.parentPath, entry.name)))
		.sort();
}
