import test from 'ava';
import {differenceOf, hasStrongValidator, ifRangeOf, repeatsValidator} from '../../../src/http/validators.js';

const MODIFIED_MS = Date.UTC(2025, 11, 31, 23, 59, 58);
const MODIFIED = 'Wed, 31 Dec 2025 23:59:58 GMT';
const A_SECOND_LATER = 'Wed, 31 Dec 2025 23:59:59 GMT';

const STRONG_ETAGS = ['"v1"', '""', '"W/v1"', '"\xe9"'];
/** Weak, or no ETag at all. */
const OTHER_ETAGS = ['W/"v1"', 'w/"v1"', 'v1', '', '"v1', '"a b"', '"a", "b"', '"a\r\nX: 1"'];

test('an ETag is strong unless it is weak or none', t => {
	for (const etag of STRONG_ETAGS) {
		t.true(hasStrongValidator({etag}, null), etag);
		t.is(ifRangeOf({etag}), etag);
	}

	for (const etag of OTHER_ETAGS) {
		t.false(hasStrongValidator({etag}, null), etag);
		t.is(ifRangeOf({etag, hasStrongValidator: true}), undefined, etag);
	}
});

test('a Last-Modified is strong from one second before the Date on', t => {
	const isStrong = (date: string | null) => hasStrongValidator({lastModifiedMs: MODIFIED_MS}, date);
	t.true(isStrong(A_SECOND_LATER));
	for (const date of [MODIFIED, 'Wed, 31 Dec 2025 23:59:57 GMT', 'soon', null]) t.false(isStrong(date), String(date));
	t.false(hasStrongValidator({}, A_SECOND_LATER));
});

test('If-Range carries a Last-Modified only where it is strong and there is no ETag', t => {
	t.is(ifRangeOf({lastModifiedMs: MODIFIED_MS, hasStrongValidator: true}), MODIFIED);
	t.is(ifRangeOf({lastModifiedMs: MODIFIED_MS, hasStrongValidator: false}), undefined);
	t.is(ifRangeOf({lastModifiedMs: MODIFIED_MS}), undefined);
	t.is(ifRangeOf({etag: '"v1"', lastModifiedMs: MODIFIED_MS}), '"v1"');
	const weak = {etag: 'W/"v1"', lastModifiedMs: MODIFIED_MS};
	t.false(hasStrongValidator(weak, A_SECOND_LATER));
	t.is(ifRangeOf({...weak, hasStrongValidator: true}), undefined);
});

test('versions differ in what both say, and in nothing else', t => {
	const known = {url: 'http://a.test/', etag: '"v1"', lastModifiedMs: MODIFIED_MS, lengthBytes: 100};
	t.is(differenceOf(known, known), undefined);
	t.is(differenceOf(known, {}), undefined);
	t.is(differenceOf({}, known), undefined);
	t.is(differenceOf(known, {etag: '"v2"'}), 'its ETag is "v2", not "v1"');
	t.is(differenceOf(known, {etag: 'W/"v1"'}), 'its ETag is W/"v1", not "v1"');
	t.is(differenceOf(known, {etag: '"v1"', lengthBytes: 99}), 'its length is 99, not 100');
	t.is(
		differenceOf(known, {lastModifiedMs: MODIFIED_MS + 1000}),
		`its Last-Modified is ${MODIFIED_MS + 1000}, not ${MODIFIED_MS}`,
	);
});

test('only a strong validator that is there again proves a version', t => {
	t.true(repeatsValidator({etag: '"v1"'}, {etag: '"v1"'}));
	t.false(repeatsValidator({etag: '"v1"'}, {}));
	t.false(repeatsValidator({etag: 'W/"v1"'}, {etag: 'W/"v1"'}));
	t.false(repeatsValidator({}, {}));
	const dated = {lastModifiedMs: MODIFIED_MS};
	t.true(repeatsValidator({...dated, hasStrongValidator: true}, dated));
	t.false(repeatsValidator(dated, dated));
	t.false(repeatsValidator({...dated, hasStrongValidator: true}, {}));
});
