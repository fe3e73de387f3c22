/** What the figures and the counts of other tests stand on. */
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {writeFile} from 'node:fs/promises';
import http, {type IncomingMessage} from 'node:http';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {sha256, startOrigin, workDirectory} from '../../helpers/drive.js';
import {generatedBody, Origin, type OriginOptions} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

/** What a timer may be early, and what is sent at once. */
const SLACK_MS = 12;

/** Reads a body as fast as it comes. */
async function read(url: string): Promise<{sum: string; endedAt: number}> {
	const [response] = (await once(http.get(url), 'response')) as [IncomingMessage];
	const hash = createHash('sha256');
	for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk);
	return {sum: hash.digest('hex'), endedAt: performance.now()};
}

async function startPaced(t: ExecutionContext, options: OriginOptions): Promise<Origin> {
	const origin = await Origin.start(options);
	t.teardown(() => origin.close());
	return origin;
}

test('a body of a rate comes no faster than that, be it 100 MB/s, and its bytes are those without one', async t => {
	const origin = await startOrigin(t);
	for (const rate of [200_000, 20_000_000, 100_000_000]) {
		const size = rate / 5;
		const from = performance.now();
		const {sum, endedAt} = await read(origin.serve(`/${rate}`, {size, rate}));
		t.log(`${rate} bytes a second: ${((size / (endedAt - from)) * 1000).toFixed()} in fact`);
		t.is(sum, sha256(generatedBody(size)));
		t.true(endedAt - from >= 200 - SLACK_MS, `${endedAt - from} ms`);
		t.is(origin.bytesSentOf(`/${rate}`), size);
	}
});

test('the rate of an origin is that of all its responses together', async t => {
	const origin = await startPaced(t, {rate: 40_000_000});
	const size = 2_000_000;
	const urls = [1, 2, 3, 4].map(index => origin.serve(`/${index}`, {size}));
	const from = performance.now();
	const ends = await Promise.all(urls.map(async url => (await read(url)).endedAt - from));
	t.true(Math.max(...ends) >= 200 - SLACK_MS, String(ends));
	t.log(`each ended after ${ends.map(ms => ms.toFixed()).join(', ')} ms`);
	t.is(origin.bytesSent, 4 * size);
});

test('what a client does not take is not counted as sent', async t => {
	const origin = await startOrigin(t);
	const size = 200_000_000;
	const request = http.get(origin.serve('/left', {size}));
	const [response] = (await once(request, 'response')) as [IncomingMessage];
	await once(response, 'data');
	response.destroy();
	await origin.disconnected();
	t.true(origin.bytesSent > 0 && origin.bytesSent < size, `${origin.bytesSent}`);
	t.is(origin.bytesSent, origin.bytesSentOf('/left'));
});

test('small bodies and those of files are counted too, and none for a 304', async t => {
	const origin = await startOrigin(t);
	const file = path.join(await workDirectory(t), 'file');
	await writeFile(file, generatedBody(300_000));
	t.is((await read(origin.serve('/small', {body: 'small'}))).sum, sha256('small'));
	t.is((await read(origin.serve('/file', {file, ranges: true}))).sum, sha256(generatedBody(300_000)));
	const etag = '"one"';
	const request = http.get(origin.serve('/same', {size: 1000, etag}), {headers: {'if-none-match': etag}});
	const [{statusCode}] = (await once(request, 'response')) as [IncomingMessage];
	t.is(statusCode, 304);
	await until('all is counted', () => origin.bytesSent === 300_005);
	t.is(origin.bytesSentOf('/same'), 0);
});
