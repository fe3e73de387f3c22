import test from 'ava';
import {CacheError, hasCode, messageOf, systemCode} from '../../../src/base/errors.js';

test('an error says what happened, by name and in words, and keeps its cause', t => {
	const cause = new Error('why');
	const error = new CacheError('too-large', 'what', {cause});
	t.like(error, {name: 'CacheError', code: 'too-large', message: 'what', cause});
	t.true(hasCode(error, 'too-large'));
	t.false(hasCode(error, 'no-space'));
	t.false(hasCode(Object.assign(new Error('x'), {code: 'too-large'}), 'too-large'));
});

test("the system's code is read where there is one", t => {
	t.is(systemCode(Object.assign(new Error('x'), {code: 'ENOENT'})), 'ENOENT');
	for (const thrown of [new Error('x'), Object.assign(new Error('x'), {code: 5}), {code: 'ENOENT'}, null, 'ENOENT']) {
		t.is(systemCode(thrown), undefined);
	}
});

test('whatever was thrown has a message', t => {
	t.is(messageOf(new Error('a sentence')), 'a sentence');
	t.is(messageOf('text'), 'text');
	t.is(messageOf(undefined), 'undefined');
});
