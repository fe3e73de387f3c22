/**
 * Which folder of `src/` may import which. Order is depth: nothing imports upwards, so no cycle can form.
 * Run as a program it prints each violation and exits 1.
 */
import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import ts from 'typescript';

/** Folder -> folders it may import. A folder always may import itself. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
	'base': [],
	'sqlite': ['base'],
	'http': ['base', 'sqlite'],
	'store': ['base', 'sqlite'],
	'media': ['base'],
	'cache': ['base', 'http', 'store', 'media'],
	'tier': ['base', 'cache'],
	'fs': ['base', 'cache'],
	'transport': ['base', 'fs'],
	'config': ['base'],
	'library': ['base', 'config', 'sqlite', 'http', 'store', 'media', 'cache', 'tier'],
	'daemon': ['base', 'config', 'library', 'cache', 'fs', 'transport'],
	'cli': ['base', 'config', 'library', 'daemon'],
	'ports/disk-cache': ['base', 'sqlite'],
	'ports/ttl-cache': ['base'],
	'ports/response-cache': ['base', 'http', 'sqlite'],
};

/** One third-party package, one importing file. Packages not named here may be imported by one file of any name. */
export const PACKAGE_OWNERS: Readonly<Record<string, string>> = {
	'fuse-native': 'transport/fuse-native.ts',
	'koffi': 'transport/kernel/libc.ts',
	'node-fetch': 'http/client.ts',
	'chokidar': 'daemon/watch.ts',
	'fluent-ffmpeg': 'media/ffmpeg.ts',
	'ffmpeg-static': 'media/ffmpeg.ts',
	'better-sqlite3': 'sqlite/open.ts',
};

/** The files at the top of `src/` that may import any layer. */
const TOP_LEVEL = '(top)';

/** A source file: its path relative to `src/` and its text. */
export interface SourceFile {
	readonly path: string;
	readonly text: string;
}

/** Each import of `files` that the tables above forbid, as one line of text. */
export function violations(files: readonly SourceFile[]): string[] {
	const found: string[] = [];
	const importers = new Map<string, Set<string>>();
	for (const file of files) {
		for (const {fileName: specifier} of ts.preProcessFile(file.text, true, true).importedFiles) {
			if (specifier.startsWith('.')) {
				const target = path.posix.join(path.posix.dirname(file.path), specifier);
				const problem = forbidden(layerOf(file.path), layerOf(target));
				if (problem) found.push(`src/${file.path} imports ${target}: ${problem}`);
			} else if (!specifier.startsWith('node:')) {
				const name = packageName(specifier);
				importers.set(name, (importers.get(name) ?? new Set()).add(file.path));
			}
		}
	}

	for (const [name, paths] of importers) {
		const owner = PACKAGE_OWNERS[name];
		const strangers = owner === undefined ? [] : [...paths].filter(importer => importer !== owner);
		if (strangers.length > 0) found.push(`package ${name} belongs to src/${owner}, not to ${strangers.join(', ')}`);
		else if (paths.size > 1) found.push(`package ${name} is imported by several files: ${[...paths].join(', ')}`);
	}

	return found;
}

function forbidden(from: string, to: string): string | undefined {
	if (from === to || from === TOP_LEVEL) return undefined;
	if (to === TOP_LEVEL) return 'nothing imports the top of src/';
	const allowed = LAYERS[from];
	if (allowed === undefined) return `${from}/ is not in the table of layers`;
	return allowed.includes(to) ? undefined : `${from}/ may import ${allowed.join(', ') || 'nothing'}`;
}

function layerOf(file: string): string {
	const [first = '', second = '', ...rest] = file.split('/');
	if (second === '') return TOP_LEVEL;
	return first === 'ports' && rest.length > 0 ? `ports/${second}` : first;
}

function packageName(specifier: string): string {
	const [scope = '', name = ''] = specifier.split('/');
	return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

function readSources(root: string): SourceFile[] {
	return readdirSync(root, {recursive: true, encoding: 'utf8'})
		.filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts'))
		.map(name => ({path: name, text: readFileSync(path.join(root, name), 'utf8')}));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const found = violations(readSources('src'));
	for (const line of found) console.error(line);
	process.exitCode = found.length > 0 ? 1 : 0;
}
