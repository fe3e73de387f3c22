import test from 'ava';
import {quoted} from '../../../src/http/quoted.js';

test('what an origin sends is shown in quotes, cut after 100 characters', t => {
	t.is(quoted('bytes 0-1/2'), '"bytes 0-1/2"');
	t.is(quoted('a'.repeat(100)), `"${'a'.repeat(100)}"`);
	t.is(quoted('a'.repeat(101)), `"${'a'.repeat(100)}…"`);
});

test('no character is shown that a terminal would act on', t => {
	t.is(quoted('a\r\nb\0\x1b[31m\x7f\x9b\xa0'), '"a\\u000d\\u000ab\\u0000\\u001b[31m\\u007f\\u009b\xa0"');
});
