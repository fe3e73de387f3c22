import {CacheError} from '../base/errors.js';
import {redact} from '../base/redact.js';
import {formatSize} from '../base/units.js';
import type {SourceBody} from './source.js';

/**
 * All of a body, in memory.
 *
 * @throws CacheError `too-large` for more than `maxBytes`, announced or sent,
 *   or what reading throws. What was not read is given up.
 */
export async function gather(url: string, incoming: SourceBody, maxBytes: number): Promise<Buffer> {
	const {lengthBytes = 0, body} = incoming;
	const chunks: Uint8Array[] = [];
	let received = 0;
	try {
		if (lengthBytes > maxBytes) throw tooLarge(url, maxBytes);
		for await (const chunk of body) {
			received += chunk.byteLength;
			if (received > maxBytes) throw tooLarge(url, maxBytes);
			chunks.push(chunk);
		}
	} finally {
		incoming.discard();
	}

	return Buffer.concat(chunks);
}

function tooLarge(url: string, maxBytes: number): CacheError {
	return new CacheError(
		'too-large',
		`${redact(url)} has more than the ${formatSize(maxBytes)} that are read into memory`,
	);
}
