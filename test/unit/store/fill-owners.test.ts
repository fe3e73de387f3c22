/** How long the owner of a fill is asked for: the thread that tells it is real, and hears of the question late. */
import test from 'ava';
import {setTimeout as delay} from 'node:timers/promises';
import {NO_LOG} from '../../../src/base/log.js';
import {Catalogue} from '../../../src/store/catalogue.js';
import {FillOwners} from '../../../src/store/fill-owners.js';
import {keyOf, type Key} from '../../../src/store/key.js';
import {Layout} from '../../../src/store/layout.js';
import {temporaryDirectory} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map(name => keyOf(`https://a.example/${name}`)) as [Key, Key, Key, Key];

/** What is asked reaches the thread once it goes on. */
class HeldUpCatalogue extends Catalogue {
	goOn: () => void = () => undefined;
	readonly #held = new Promise<void>(resolve => (this.goOn = resolve));

	override async claim(key: Key) {
		await this.#held;
		return super.claim(key);
	}
}

test('who looks waits less long for an owner than who reads, and who comes while nobody is answered hardly at all', async t => {
	const layout = new Layout(temporaryDirectory(t));
	layout.create();
	const catalogue = new HeldUpCatalogue(layout, NO_LOG);
	t.teardown(() => catalogue.close());
	const owners = new FillOwners(catalogue, layout.downloads, () => Promise.resolve());
	t.teardown(() => owners.close());

	const ended: string[] = [];
	const claim = async (who: string, key: Key, isRead: boolean) => {
		t.is(await owners.claim(key, isRead), 'silent');
		ended.push(who);
	};
	const reading = claim('who reads', A, true);
	await claim('who looks', B, false);
	await Promise.race([claim('who comes later', C, true), delay(400)]);
	await reading;
	t.deepEqual(ended, ['who looks', 'who comes later', 'who reads']);

	catalogue.goOn();
	const isOwned = async () => typeof (await owners.claim(D, true)) === 'object';
	await until('somebody is answered', isOwned);
});
