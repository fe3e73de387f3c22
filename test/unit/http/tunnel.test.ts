import {lookup} from 'node:dns';
import {once} from 'node:events';
import net, {type AddressInfo, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {Tunnel} from '../../../src/http/tunnel.js';

/** Does with each connection what it is told, once something was asked on it. */
async function startServer(
	t: ExecutionContext,
	answer: (socket: Socket) => void,
): Promise<{port: number; closed: Promise<unknown>}> {
	const server = net.createServer(socket => {
		socket.on('error', () => undefined).once('data', () => answer(socket));
		socket.once('close', () => server.emit('left'));
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	t.teardown(() => void server.close());
	return {port: (server.address() as AddressInfo).port, closed: once(server, 'left')};
}

function open(port: number, onFailure: (error: Error) => void): Tunnel {
	const proxy = {id: '', name: 'proxy.test', host: '127.0.0.1', port, isSecure: false, servername: '', headers: {}};
	return new Tunnel(proxy, 'a.test:443', {proxyLookup: lookup}, onFailure);
}

const CONNECTED = 'HTTP/1.1 200 Connected\r\n\r\n';

test('what came before the other side closed can be read after that', async t => {
	const {port, closed} = await startServer(t, socket => {
		socket.write(`${CONNECTED}first `, () => socket.end('second'));
	});
	const tunnel = open(port, error => t.fail(error.message));
	await closed;
	let text = '';
	for await (const chunk of tunnel) text += String(chunk);
	t.is(text, 'first second');
});

test('what is written before there is a connection is sent when there is one', async t => {
	const {port} = await startServer(t, socket => {
		socket.write(CONNECTED);
		socket.once('data', bytes => socket.end(bytes));
	});
	const tunnel = open(port, error => t.fail(error.message));
	tunnel.write('hello');
	t.is(String((await once(tunnel, 'data'))[0]), 'hello');
	tunnel.destroy();
});

test('a proxy that hangs up, or talks no HTTP, is told once, and the tunnel is closed', async t => {
	for (const answer of ['', 'nonsense\r\n\r\n', 'HTTP/1.1 500 No\r\n\r\n']) {
		const {port, closed} = await startServer(t, socket => void socket.end(answer));
		const failures: Error[] = [];
		const tunnel = open(port, error => failures.push(error));
		await closed;
		if (!tunnel.closed) await once(tunnel, 'close');
		t.is(failures.length, 1, answer);
	}
});
