import {rm} from 'node:fs/promises';
import path from 'node:path';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import type {Transform} from '../media/transforms.js';
import type {Draft} from '../store/draft.js';

export interface Converted {
	readonly draft: Draft;
	readonly kind: {readonly mimetype: string; readonly filename: string};
}

/**
 * Runs a transform over a draft that is whole, which is discarded then.
 *
 * @returns undefined where the transform failed, which changes nothing: the body is stored as it came.
 * @throws the signal's reason.
 */
export async function convert(
	transform: Transform,
	draft: Draft,
	body: {readonly url: string; readonly filename: string},
	{signal, log}: {signal: AbortSignal; log: Log},
): Promise<Converted | undefined> {
	const output = `${draft.path}.out`;
	try {
		const {mimetype, extension} = await transform.run(draft.path, output, signal);
		const converted = await draft.adopt(output);
		await draft.discard();
		return {draft: converted, kind: {mimetype, filename: path.parse(body.filename).name + extension}};
	} catch (error) {
		await rm(output, {force: true});
		signal.throwIfAborted();
		log.warn(`${transform.name} failed, stored as it came`, {url: redact(body.url), reason: messageOf(error)});
		return undefined;
	}
}
