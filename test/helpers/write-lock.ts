/** The catalogue's database, used by another program: Python's sqlite3. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import path from 'node:path';
import {createInterface} from 'node:readline';
import type {ExecutionContext} from 'ava';
import {run} from './run.js';

/** Holds the write lock of the database from the line that it prints until its input ends. */
const HOLD = `
import sqlite3, sys
database = sqlite3.connect(f'file:{sys.argv[1]}?mode=rw', uri=True, timeout=10, isolation_level=None)
database.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()
database.execute('ROLLBACK')
`;

/** Runs its second argument on the database, and prints the first column of the first row. */
const QUERY = `
import sqlite3, sys
database = sqlite3.connect(f'file:{sys.argv[1]}?mode=rw', uri=True, timeout=10, isolation_level=None)
row = database.execute(sys.argv[2]).fetchone()
print('' if row is None else row[0])
`;

export function catalogueOf(cacheDir: string): string {
	return path.join(cacheDir, '.larder', 'catalogue.sqlite');
}

/**
 * Takes the write lock of a store's catalogue in another process, which ends
 * with the test at the latest.
 *
 * @returns a function that lets go of it.
 */
export async function holdWriteLock(t: ExecutionContext, cacheDir: string): Promise<() => Promise<void>> {
	const child = spawn('python3', ['-c', HOLD, catalogueOf(cacheDir)], {stdio: ['pipe', 'pipe', 'inherit']});
	const exited = once(child, 'exit') as Promise<[number | null]>;
	t.teardown(async () => {
		child.kill('SIGKILL');
		await exited;
	});
	const held = once(createInterface({input: child.stdout}), 'line');
	const outcome = await Promise.race([held.then(() => 'held'), exited.then(([code]) => `ended with ${code}`)]);
	if (outcome !== 'held') throw new Error(`the process that was to hold the lock ${outcome}`);
	return async () => {
		child.stdin.end();
		const [code] = await exited;
		if (code !== 0) throw new Error(`the process that held the lock ended with ${code}`);
	};
}

/** What a statement on a store's catalogue says in the first column of its first row, or that there is no such catalogue. */
export async function askCatalogue(cacheDir: string, statement: string): Promise<string> {
	const {stdout, stderr} = await run('python3', ['-c', QUERY, catalogueOf(cacheDir), statement]);
	return stderr === '' ? stdout.trim() : (stderr.trim().split('\n').at(-1) ?? '');
}
