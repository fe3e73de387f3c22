/** What the public http-cache-tests suite expects of a cache like ours. See `docs/http-cache-tests.md`. */
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type {Case} from './http-cache-tests/case.js';
import {CASES} from './http-cache-tests/cases.js';
import {NOT_APPLICABLE} from './http-cache-tests/not-applicable.js';
import {play} from './http-cache-tests/play.js';
import {Stage} from './http-cache-tests/stage.js';
import {ALL_IDS, COUNTS, SUITE} from './http-cache-tests/suite.js';

const PAGE = path.resolve(import.meta.dirname, '../../../../docs/http-cache-tests.md');
const ROWS: readonly Case[] = Object.values(CASES).flat();

test('every case of the suite is played, or named with the reason why not', t => {
	const counts = Object.entries(SUITE).map(([file, ids]) => [file, ids.length]);
	const played = Object.entries(CASES).map(([file, rows]) => [file, rows.map(({id}) => id)] as const);
	const named = [...ROWS.map(({id}) => id), ...NOT_APPLICABLE.flatMap(({ids}) => ids)];
	t.deepEqual(Object.fromEntries(counts), COUNTS);
	t.is(new Set(ALL_IDS).size, ALL_IDS.length);
	t.deepEqual(named.toSorted(), ALL_IDS.toSorted());
	for (const [file, ids] of played) {
		const known = new Set<string>(SUITE[file as keyof typeof SUITE]);
		t.deepEqual(
			ids.filter(id => !known.has(id)),
			[],
			`not in ${file}.mjs`,
		);
	}
});

test('a case that we deviate from expects something else than the suite does', t => {
	for (const {id, steps, deviates} of ROWS) {
		for (const [number, expect] of Object.entries(deviates?.expect ?? {})) {
			t.notDeepEqual(expect, steps[Number(number) - 1]?.expect, id);
		}
	}
});

test('the page about the suite has its numbers, and names every case that we deviate from', async t => {
	const page = await readFile(PAGE, 'utf8');
	for (const kind of ['required', 'optimal', 'check']) {
		const rows = ROWS.filter(row => row.kind === kind);
		const deviating = rows.filter(({deviates}) => deviates !== undefined);
		const numbers = [rows.length, rows.length - deviating.length, deviating.length];
		t.true(page.includes(`| ${kind} | ${numbers.join(' | ')} |`), `${kind}: ${numbers.join(', ')}`);
		for (const {id} of deviating) t.true(page.includes(`\`${id}\``), id);
	}

	for (const {why, ids} of NOT_APPLICABLE) t.true(page.includes(`| ${ids.length} | ${why} |`), `${ids.length}: ${why}`);
	t.true(page.includes(`| ${ALL_IDS.length} | ${ROWS.length} | ${ALL_IDS.length - ROWS.length} |`));
});

let stage: Stage;
test.before('the stage is set', async () => void (stage = await Stage.set()));
test.after.always('the stage is struck', () => stage.strike());

for (const row of ROWS) {
	test.serial(titleOf(row), t => play(t, row, stage));
}

function titleOf({id, kind, name, deviates}: Case): string {
	const instead = kind === 'check' ? 'no' : 'we deviate';
	return `${id} (${kind}): ${name}${deviates ? `: ${instead}, ${deviates.why}` : ''}`;
}
