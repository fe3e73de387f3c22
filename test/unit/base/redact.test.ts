import test from 'ava';
import {redact} from '../../../src/base/redact.js';

test('credentials, query and fragment are taken out, host, port and path stay', t => {
	t.is(redact('https://me:pw@a.example:8443/x/y?token=1#f'), 'https://a.example:8443/x/y');
	t.is(redact('http://token@a.example'), 'http://a.example/');
	t.is(redact('https://a.example/?'), 'https://a.example/');
});

test('what is no URL is not shown at all', t => {
	for (const text of ['', 'secret', '//me:pw@a.example/x', 'https://']) t.is(redact(text), '<not a URL>', text);
});
