/** What docs/kernel-transport.md says of calls that are refused: each row is made, through the kernel. */
import {readFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {OPCODES} from '../../src/transport/kernel/protocol/opcodes.js';
import {listed, put, startDrive, workDirectory} from '../helpers/drive.js';
import {run} from '../helpers/run.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const PAGE = readFileSync(path.join(ROOT, 'docs/kernel-transport.md'), 'utf8');
const CALLS = path.join(ROOT, 'test/helpers/refused-calls.py');
const URL_OF = (index: number) => `http://a.example/${index}`;

/** The rows of the table: what is called, what becomes of it, and what the drive is asked. */
function rows(): Array<{call: string; answer: string; request: string}> {
	const lines = PAGE.split('\n').filter(line => line.startsWith('| ') && !line.startsWith('| call'));
	return lines.map(line => {
		const [, call = '', answer = '', request = ''] = line.split('|').map(cell => cell.trim());
		return {call, answer, request};
	});
}

test('each call is answered as its row says, and nothing is left of it', async t => {
	const {mount} = await startDrive(t, {transport: 'kernel', flags: ['--offline']});
	await put(mount, URL_OF(1), 'body');
	const elsewhere = path.join(await workDirectory(t), 'elsewhere');
	const names = [1, 2].map(index => encodeURIComponent(URL_OF(index)));
	const {code, stdout, stderr} = await run('python3', [CALLS, mount.directory, ...names, elsewhere]);
	t.is(code, 0, stderr);
	const answers = JSON.parse(stdout) as Record<string, string>;
	for (const {call, answer} of rows()) t.is(answers[call], answer, call);
	t.deepEqual(
		Object.keys(answers).sort(),
		rows()
			.map(({call}) => call)
			.sort(),
	);
	t.is((await run('cat', [mount.path(URL_OF(1))])).stdout, 'body');
	// What was copied within the drive.
	t.deepEqual(await listed(mount), names);
	t.is((await run('cat', [mount.path(URL_OF(2))])).stdout, 'body');
});

test('each request that is refused is on the page, with the errno that its line in the table of opcodes has', t => {
	for (const [name, {does}] of Object.entries(OPCODES)) {
		if (does === 'serve' || does === 'session') continue;
		t.true(new RegExp(`\\b${name}\\b`).test(PAGE), name);
		for (const {call, answer, request} of rows()) {
			if (!new RegExp(`\\b${name}\\b`).test(request)) continue;
			if (does === 'ENOSYS') t.true(request.includes(': ENOSYS'), `${call}: ${name}`);
			else t.is(answer, does, `${call}: ${name}`);
		}
	}
});
