/** What every catalogue promises. A new one is a line in `CATALOGUES`. */
import test, {type ExecutionContext} from 'ava';
import type {Catalogue} from '../../src/store/catalogue.js';
import type {Entry} from '../../src/store/entry.js';
import {MemoryCatalogue} from '../../src/store/memory-catalogue.js';

const CATALOGUES: Readonly<Record<string, () => Catalogue>> = {
	memory: () => new MemoryCatalogue(),
};

function entry(key: string, {sizeBytes = 10, allocatedBytes = 4096, ts = 0} = {}): Entry {
	const file = {ino: 1n, size: BigInt(sizeBytes), mtimeNs: 1n};
	return {
		...{key, sizeBytes, allocatedBytes, storedAtMs: 0, data: file, sidecarFile: file},
		sidecar: {
			...{url: `https://a.example/${key}`, mimetype: 'text/plain', filename: key},
			...{size: sizeBytes, ts, stored: 0, origin: {}, others: {}},
		},
	};
}

const order = (catalogue: Catalogue) => [...catalogue.inOrderOfLeaving()].map(({key}) => key);

function promises(title: string, body: (t: ExecutionContext, catalogue: Catalogue) => void): void {
	for (const [name, create] of Object.entries(CATALOGUES)) test(`${name}: ${title}`, t => body(t, create()));
}

promises('what was set is there, what was deleted is not', (t, catalogue) => {
	catalogue.set(entry('a'));
	t.is(catalogue.get('a')?.key, 'a');
	catalogue.delete('a');
	t.is(catalogue.get('a'), undefined);
});

promises('totals are the sums, also after a replacement, and deleting twice counts once', (t, catalogue) => {
	catalogue.set(entry('a', {sizeBytes: 5}));
	catalogue.set(entry('b', {sizeBytes: 7, allocatedBytes: 8192}));
	catalogue.set(entry('a', {sizeBytes: 9}));
	t.deepEqual(catalogue.totals, {entries: 2, sizeBytes: 16, allocatedBytes: 12_288});
	catalogue.delete('b');
	catalogue.delete('b');
	t.deepEqual(catalogue.totals, {entries: 1, sizeBytes: 9, allocatedBytes: 4096});
});

promises('least recently used leaves first', (t, catalogue) => {
	for (const key of ['a', 'b', 'c']) catalogue.set(entry(key));
	catalogue.touch('a', 1000);
	t.deepEqual(order(catalogue), ['b', 'c', 'a']);
	t.is(catalogue.accessedAtMs('a'), 1000);
});

promises('a replacement keeps its place and its time', (t, catalogue) => {
	for (const key of ['a', 'b']) catalogue.set(entry(key));
	catalogue.touch('a', 1000);
	catalogue.set(entry('b', {sizeBytes: 3}));
	t.deepEqual(order(catalogue), ['b', 'a']);
	t.is(catalogue.accessedAtMs('a'), 1000);
});

promises('a touch of what is not there changes nothing', (t, catalogue) => {
	catalogue.touch('a', 1000);
	t.deepEqual(catalogue.totals, {entries: 0, sizeBytes: 0, allocatedBytes: 0});
	t.is(catalogue.accessedAtMs('a'), 0);
});

promises('what a scan found is ordered by its time, and replaces nothing', (t, catalogue) => {
	catalogue.set(entry('known', {sizeBytes: 1, ts: 5}));
	catalogue.adopt([entry('new', {ts: 9}), entry('old', {ts: 1}), entry('known', {sizeBytes: 2, ts: 20})]);
	t.deepEqual(order(catalogue), ['old', 'known', 'new']);
	t.is(catalogue.get('known')?.sizeBytes, 1);
});

promises('entries may be deleted while they are iterated', (t, catalogue) => {
	for (const key of ['a', 'b', 'c']) catalogue.set(entry(key));
	for (const {key} of catalogue.inOrderOfLeaving()) catalogue.delete(key);
	t.is(catalogue.totals.entries, 0);
});
