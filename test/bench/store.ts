import {mkdir, writeFile} from 'node:fs/promises';
import {basePath} from '../helpers/original.js';
import {writeNoise} from './bench.js';

/** Puts an entry into a store that nobody has open, as the Python original would. */
export async function plant(store: string, url: string, sizeBytes: number): Promise<void> {
	const base = basePath(store, url);
	await mkdir(store, {recursive: true});
	await writeNoise(`${base}.dat`, sizeBytes);
	const fields = {
		url,
		mimetype: 'application/octet-stream',
		filename: 'planted',
		size: sizeBytes,
		ts: Date.now() / 1000,
	};
	await writeFile(`${base}.json`, JSON.stringify(fields));
}
