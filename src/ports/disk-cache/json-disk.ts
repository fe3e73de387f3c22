import {deflateSync, inflateSync} from 'node:zlib';
import {Disk, MODE, type StoredValue} from './disk.js';

/**
 * Keeps values as JSON, compressed by zlib. Keys are those of every disk, which
 * are deterministic; they are not compressed, since what zlib makes of a text
 * changes with its level and its version, and a key must be found again.
 */
export class JSONDisk extends Disk {
	override readonly format = 'json';

	/** A number is kept as it is, so that it can be added to. @throws TypeError for what JSON does not have. */
	override store(value: unknown, key?: unknown): StoredValue {
		// -0 is 0 in JSON.
		if (Number.isFinite(value)) return super.store((value as number) + 0, key);
		// For undefined and functions it is not the string that its type promises.
		const text = JSON.stringify(value) as string | undefined;
		if (text === undefined) throw new TypeError(`JSON has no ${typeof value}`);
		return {...super.store(deflateSync(text, {level: this.options.compressLevel}), key), mode: MODE.packed};
	}

	override fetch(stored: StoredValue): unknown {
		if (stored.mode !== MODE.packed) return super.fetch(stored);
		const packed = super.fetch({...stored, mode: stored.filename === null ? MODE.raw : MODE.binary});
		return JSON.parse(inflateSync(packed as Uint8Array).toString());
	}

	/** What came as a stream as one, all else as it is. */
	override open(stored: StoredValue): unknown {
		return stored.mode === MODE.packed ? this.fetch(stored) : super.open(stored);
	}
}
