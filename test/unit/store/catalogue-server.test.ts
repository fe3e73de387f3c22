/** Whatever becomes of the file, main hears which catalogue is there: what it reads is what is written. */
import {rmSync} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {thisProcess} from '../../../src/base/process-identity.js';
import {catalogueIdentity, openCatalogue} from '../../../src/store/catalogue-file.js';
import {CatalogueServer, type ServerEvent} from '../../../src/store/catalogue-server.js';
import {Layout} from '../../../src/store/layout.js';
import {temporaryDirectory} from '../../helpers/cache.js';

/** A server, and a reader's connection as main has one. */
function setUp(t: ExecutionContext) {
	const layout = new Layout(temporaryDirectory(t));
	layout.create();
	const {database, identity} = openCatalogue(layout, {isReading: true});
	const events: ServerEvent[] = [];
	const server = new CatalogueServer(layout, {...thisProcess(), opener: 'a'}, event => events.push(event), identity);
	t.teardown(async () => {
		await server.close(1000);
		database.close();
	});
	return {layout, server, heard: () => events.splice(0)};
}

function remove(layout: Layout, ...suffixes: string[]): void {
	for (const suffix of suffixes) rmSync(layout.catalogue + suffix);
}

const removed = {kind: 'renewed', reason: 'it was removed', process: 1} as const;

test('a catalogue that was removed is made anew with the next call, and that is told once', async t => {
	const {layout, server, heard} = setUp(t);
	await server.open();
	t.deepEqual(heard(), []);
	remove(layout, '', '-wal', '-shm');
	await server.open();
	await server.open();
	t.deepEqual(heard(), [removed]);
});

test('it is told also where it was removed before the first call', async t => {
	const {layout, server, heard} = setUp(t);
	remove(layout, '', '-wal', '-shm');
	await server.open();
	t.deepEqual(heard(), [removed]);
});

test('it is told, and what was said is said again, also where another writes to the new one at that moment', async t => {
	const {layout, server, heard} = setUp(t);
	await server.setLimits([['max-size', '1000']]);
	remove(layout, '', '-wal', '-shm');
	const {database: other} = openCatalogue(layout, {isReading: false});
	other.exec('BEGIN IMMEDIATE');
	const opening = server.open();
	other.exec('ROLLBACK');
	await opening;
	t.deepEqual(heard(), [removed]);
	t.deepEqual(other.prepare('SELECT name, value FROM limits').all(), [{name: 'max-size', value: '1000'}]);
	other.close();
});

for (const suffix of ['-wal', '-shm']) {
	test(`a catalogue without its ${suffix}, which others would make anew beside the one that is written, is made anew`, async t => {
		const {layout, server, heard} = setUp(t);
		await server.open();
		const before = catalogueIdentity(layout.catalogue);
		remove(layout, suffix);
		await server.open();
		t.deepEqual(heard(), [removed]);
		const now = catalogueIdentity(layout.catalogue);
		t.truthy(now);
		t.not(now?.split(' ')[0], before?.split(' ')[0]);
	});
}

test('who finds a catalogue useless that is another one by now has it left as it is', async t => {
	const {layout, server, heard} = setUp(t);
	await server.open();
	const before = catalogueIdentity(layout.catalogue) ?? '';
	remove(layout, '', '-wal', '-shm');
	await server.open();
	const now = catalogueIdentity(layout.catalogue);
	await server.renew(before, 'it is damaged');
	t.is(catalogueIdentity(layout.catalogue), now);
	t.deepEqual(heard(), [removed]);
	await server.renew(now ?? '', 'it is damaged');
	t.deepEqual(heard(), [{...removed, reason: 'it is damaged'}]);
});
