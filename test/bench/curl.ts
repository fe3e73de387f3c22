import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import {run} from '../helpers/run.js';
import type {Sample} from './measure.js';

const DEADLINE_MS = 60_000;

/** One URL into one file: the time that curl itself measures, without its start. */
export async function curl(url: string, file: string): Promise<Sample> {
	const args = ['--silent', '--show-error', '--fail', '--output', file, '--write-out', '%{time_total}', url];
	const {code, stdout, stderr} = await run('curl', args, {deadlineMs: DEADLINE_MS});
	if (code !== 0) throw new Error(`curl failed: ${stderr}`);
	return {seconds: Number(stdout)};
}

/** Many URLs, each into a file of `directory`, by one curl, with its start. */
export async function curlMany(urls: readonly string[], directory: string, parallel: number): Promise<Sample> {
	const config = path.join(directory, 'curl.conf');
	const lines = urls.map((url, index) => `url = "${url}"\noutput = "${directory}/${index}"\n`);
	await writeFile(config, lines.join(''));
	const together = parallel === 1 ? [] : ['--parallel', '--parallel-immediate', '--parallel-max', `${parallel}`];
	const from = performance.now();
	const {code, stderr} = await run('curl', ['--silent', '--show-error', '--fail', ...together, '--config', config], {
		deadlineMs: DEADLINE_MS,
	});
	if (code !== 0) throw new Error(`curl failed: ${stderr}`);
	return {seconds: (performance.now() - from) / 1000};
}
