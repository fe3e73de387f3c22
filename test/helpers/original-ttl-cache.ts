/** The Python original's way with hashed JSON files, in a process of its own. It knows nothing of larder. */
import path from 'node:path';
import {run} from './run.js';

const PROGRAM = path.resolve(import.meta.dirname, '../../../test/helpers/original-ttl-cache.py');

export type Call =
	| readonly ['read', base: string, key: string, ttl: number, namespace: string]
	| readonly ['entry', base: string, key: string, namespace: string]
	| readonly ['write', base: string, key: string, body: unknown, namespace: string, etag: string | null]
	| readonly ['refresh', base: string, key: string, namespace: string];

/** What Python gives for a miss. */
export const PYTHON_MISSING = {missing: true};

/** Does one after the other, and gives what each returned. */
export async function callOriginal(...calls: readonly Call[]): Promise<unknown[]> {
	const input = calls.map(call => `${JSON.stringify(call)}\n`).join('');
	const {code, stdout, stderr} = await run('python3', [PROGRAM], {input});
	if (code !== 0) throw new Error(`the original failed: ${stderr}`);
	return stdout
		.trim()
		.split('\n')
		.map(line => JSON.parse(line) as unknown);
}
