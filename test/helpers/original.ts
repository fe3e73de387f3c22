/** The Python original's way with a store: its files, written in place, and its scan. It knows nothing of larder. */
import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';

export interface OriginalEntry {
	readonly url: string;
	readonly mimetype: string;
	readonly filename: string;
	/** Bytes. */
	readonly size: number;
	/** Last access, epoch seconds. */
	readonly ts: number;
}

/** `_url_to_key` with the directory before it: add `.dat` or `.json`. */
export function basePath(directory: string, url: string): string {
	return path.join(directory, createHash('sha256').update(url).digest('hex'));
}

/** `_write_disk`: first the bytes, then the sidecar (`json.dumps` with indent 2), both in place. */
export function putLikeOriginal(
	directory: string,
	url: string,
	body: string | Uint8Array,
	fields: Partial<Omit<OriginalEntry, 'url' | 'size'>> = {},
): void {
	const {mimetype = 'image/jpeg', filename = 'a.jpg', ts = Date.now() / 1000} = fields;
	const base = basePath(directory, url);
	const sidecar: OriginalEntry = {url, mimetype, filename, size: Buffer.byteLength(body), ts};
	writeFileSync(`${base}.dat`, body);
	writeFileSync(`${base}.json`, escapeLikePython(JSON.stringify(sidecar, undefined, 2)));
}

/** `_delete_disk`. */
export function deleteLikeOriginal(directory: string, url: string): void {
	for (const extension of ['.dat', '.json']) rmSync(basePath(directory, url) + extension, {force: true});
}

/** `_scan_disk`, which throws where the original does: the entries by URL, least recently used first. */
export function scanLikeOriginal(directory: string): Map<string, OriginalEntry & {readonly data: Buffer}> {
	const found = [];
	for (const name of readdirSync(directory).sort()) {
		if (!name.endsWith('.json')) continue;
		const meta = JSON.parse(readFileSync(path.join(directory, name), 'utf8')) as Partial<OriginalEntry>;
		const data = path.join(directory, `${path.parse(name).name}.dat`);
		if (!existsSync(data)) continue;
		if (meta.url === undefined) throw new TypeError(`${name} has no url`);
		found.push({
			url: meta.url,
			mimetype: meta.mimetype ?? 'application/octet-stream',
			filename: meta.filename ?? 'attachment',
			size: meta.size || statSync(data).size,
			ts: meta.ts ?? 0,
			data: readFileSync(data),
		});
	}

	return new Map(found.sort((a, b) => a.ts - b.ts).map(entry => [entry.url, entry]));
}

/** `json.dumps` writes ASCII alone. */
function escapeLikePython(json: string): string {
	return json.replace(/[\u0080-\uffff]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
