import test from 'ava';
import {gather} from '../../../src/cache/gather.js';
import {failsWith, HandBody} from '../../helpers/cache.js';
import type {SourceBody} from '../../../src/cache/source.js';

const URL_WITH_SECRET = 'http://me:sesame@a.test/x?token=sesame';

/** A body on its way, as the test lets it come. */
function arriving(begin: (hand: HandBody) => void): {hand: HandBody; body: SourceBody} {
	const bodies: SourceBody[] = [];
	const hand = new HandBody(
		URL_WITH_SECRET,
		new AbortController().signal,
		one => void bodies.push(one),
		() => undefined,
	);
	begin(hand);
	const [body] = bodies;
	if (body === undefined) throw new Error('it has not begun');
	return {hand, body};
}

test('as many bytes as may be in memory are returned', async t => {
	const {body} = arriving(hand => hand.answer('abcd'));
	t.is(String(await gather(URL_WITH_SECRET, body, 4)), 'abcd');
});

test('a body that is announced as longer is not read', async t => {
	const {hand, body} = arriving(one => one.begin(5));
	const {message} = await failsWith(t, 'too-large', gather(URL_WITH_SECRET, body, 4));
	t.is(message, 'http://a.test/x has more than the 4B that are read into memory');
	t.true(hand.isDiscarded);
});

test('a body without an end is given up where it becomes too large', async t => {
	const {hand, body} = arriving(one => one.begin());
	for (const piece of ['ab', 'cd', 'e']) hand.send(piece);
	await failsWith(t, 'too-large', gather(URL_WITH_SECRET, body, 4));
	t.true(hand.isDiscarded);
});
