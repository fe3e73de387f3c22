import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {ENOVAL, UNKNOWN} from '../../../../src/ports/disk-cache/index.js';
import {BEHAVIOURS, WITHOUT_MEANING} from './behaviours.js';

const FOLDERS = ['.', '../../../fault', '../../../property'].map(folder => path.join(import.meta.dirname, folder));

/** `'core/get, core/pop: a sentence'` names two. */
function namedByTests(): Set<string> {
	const named = new Set<string>();
	for (const folder of FOLDERS) {
		for (const file of readdirSync(folder).filter(name => name.endsWith('.test.js'))) {
			const titles = readFileSync(path.join(folder, file), 'utf8').matchAll(
				/\btest(?:\.serial)?\('([^:']+\/[^:']+): /g,
			);
			for (const [, names = ''] of titles) for (const name of names.split(', ')) named.add(name);
		}
	}

	return named;
}

test('each behaviour of the original has a test of its name, or a reason why there is none', t => {
	const named = namedByTests();
	t.deepEqual(
		BEHAVIOURS.filter(name => !named.has(name) && WITHOUT_MEANING[name] === undefined),
		[],
	);
	t.deepEqual(
		Object.keys(WITHOUT_MEANING).filter(name => named.has(name) || !BEHAVIOURS.includes(name)),
		[],
	);
	t.is(new Set(BEHAVIOURS).size, BEHAVIOURS.length);
});

test('core/constant: constants say their names', t => {
	t.deepEqual([String(ENOVAL), String(UNKNOWN)], ['Symbol(ENOVAL)', 'Symbol(UNKNOWN)']);
});
