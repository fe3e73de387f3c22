import test from 'ava';
import {LAYERS, violations} from '../../../scripts/layers.js';

test('an import of a lower layer is allowed', t => {
	t.deepEqual(violations([{path: 'cache/fill.ts', text: "import {Store} from '../store/store.js';"}]), []);
});

test('an import of a higher layer is a violation', t => {
	const [line] = violations([{path: 'store/store.ts', text: "import {Fill} from '../cache/fill.js';"}]);
	t.is(line, 'src/store/store.ts imports cache/fill.js: store/ may import base, sqlite');
});

test('a re-export and a dynamic import count like an import', t => {
	t.is(violations([{path: 'base/a.ts', text: "export * from '../fs/drive.js';"}]).length, 1);
	t.is(violations([{path: 'base/a.ts', text: "await import('../fs/drive.js');"}]).length, 1);
});

test('a folder that the table does not know is a violation', t => {
	t.regex(violations([{path: 'utils/a.ts', text: "import {b} from '../base/b.js';"}]).join(), /not in the table/);
});

test('a package with an owner is a violation anywhere else', t => {
	t.is(violations([{path: 'fs/drive.ts', text: "import Fuse from 'fuse-native';"}]).length, 1);
	t.deepEqual(violations([{path: 'transport/fuse-native.ts', text: "import Fuse from 'fuse-native';"}]), []);
});

test('a package imported by two files is a violation', t => {
	const files = ['base/a.ts', 'base/b.ts'].map(path => ({path, text: "import pino from 'pino';"}));
	t.is(violations(files).length, 1);
});

test('the table allows no cycle', t => {
	const depth = Object.keys(LAYERS);
	for (const [layer, allowed] of Object.entries(LAYERS)) {
		for (const below of allowed) t.true(depth.indexOf(below) < depth.indexOf(layer), `${layer} -> ${below}`);
	}
});
