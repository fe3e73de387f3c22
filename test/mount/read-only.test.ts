import test from 'ava';
import path from 'node:path';
import {evaluate, fetchAll, listed, reading, startDrive, workDirectory} from '../helpers/drive.js';
import {ASKED_BY_LOOKUP} from '../helpers/mount.js';
import {run, sh} from '../helpers/run.js';
import {SIZE_KNOWN_MS, within} from '../helpers/within.js';

test('a drive mounted read-only reads and fetches, and refuses rm, cp and > with EROFS', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--read-only']});
	const directory = await workDirectory(t);
	const [url, other] = [origin.serve('/x', {body: 'x'}), origin.serve('/y', {body: 'y'})];
	await fetchAll(mount, url);
	t.is((await run('cat', [mount.path(url)])).stdout, 'x');
	t.is((await run('stat', ['-c', '%a', mount.path(url), path.join(mount.directory, 'by-url')])).stdout, '444\n555\n');

	t.is(await evaluate('fs.unlinkSync(f)', [mount.path(url)]), 'EROFS');
	const isKnown = within(SIZE_KNOWN_MS);
	t.is(await evaluate('fs.unlinkSync(f)', [mount.path(other)]), 'EROFS');
	for (const target of [url, other]) {
		t.is(await evaluate('fs.writeFileSync(f, "mine")', [mount.path(target)]), 'EROFS');
		t.is(await evaluate('fs.openSync(f, "r+")', [mount.path(target)]), 'EROFS');
		t.is(await evaluate('fs.openSync(f, "a")', [mount.path(target)]), 'EROFS');
	}

	await sh('echo mine > "$1/mine"', directory);
	const {code, stderr} = await run('cp', [`${directory}/mine`, mount.path(other)]);
	t.is(code, 1);
	t.regex(stderr, /Read-only file system/);
	// Over kernel the first of these has asked what there is.
	const asked = origin.requestsOf('/y').length;
	t.true(asked === ASKED_BY_LOOKUP || (asked <= 3 * ASKED_BY_LOOKUP && !isKnown()), `${asked} requests`);
	t.is((await run('rm', ['-f', mount.path(url)])).code, 1);
	t.is(await reading(mount.path(url)), 'read 1 bytes');
	t.deepEqual(await listed(mount), [encodeURIComponent(url)]);
	t.is(origin.requestsOf('/x').length, 1);
	t.is(origin.requests.length, 1 + asked);
});
