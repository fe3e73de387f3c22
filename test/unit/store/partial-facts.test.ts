import test from 'ava';
import {parsePartialHeader, renderPartialHeader} from '../../../src/store/partial-facts.js';
import {factsOf} from '../../helpers/begun.js';

const FACTS = factsOf('https://a.example/ü?\n', 20480);
const SAID = JSON.parse(renderPartialHeader({inode: 4711n, facts: FACTS})) as Record<string, unknown>;

test('what was said of a partial is read as it was said, on one line, and what is not known stays unknown', t => {
	const unknown = {sourceUrl: undefined, etag: undefined, lastModifiedMs: undefined, mimetype: undefined};
	for (const facts of [FACTS, {...FACTS, ...unknown}, {...FACTS, lengthBytes: 2 ** 53 - 1, etag: 'W/"a\nb"'}]) {
		const header = {inode: 2n ** 64n - 1n, facts};
		const line = renderPartialHeader(header);
		t.false(line.includes('\n'));
		t.deepEqual(parsePartialHeader(line), header);
	}

	t.deepEqual(parsePartialHeader(JSON.stringify({...SAID, later: true})), {inode: 4711n, facts: FACTS});
});

const WRONG: Record<string, unknown> = {
	'a length beyond what numbers can tell': {lengthBytes: 2 ** 53},
	'a length that is none': {lengthBytes: 1.5},
	'a negative length': {lengthBytes: -1},
	'a length in words': {lengthBytes: '20480'},
	'no URL': {url: undefined},
	'a URL that has no form in UTF-8': {url: 'https://a.example/\ud800'},
	'no filename': {filename: undefined},
	'no time': {modifiedAtMs: undefined},
	'a time that no clock shows': {lastModifiedMs: 1e300},
	'an ETag that is no text': {etag: 5},
	'a type that is no text': {mimetype: null},
	'a place that is no text': {sourceUrl: []},
	'an inode that is none': {inode: '-1'},
	'an inode as a number, which cannot tell them all': {inode: 4711},
};

for (const [what, wrong] of Object.entries(WRONG)) {
	test(`${what} makes all that is said of a partial count for nothing`, t => {
		t.is(parsePartialHeader(JSON.stringify({...SAID, ...(wrong as object)})), undefined);
	});
}

test('what is no JSON object says nothing', t => {
	for (const line of ['', '{', 'null', '5', '[]', '"x"', '\0'.repeat(100)])
		t.is(parsePartialHeader(line), undefined, line);
});
