/** nginx over the files of a directory, on loopback. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {chmod, mkdtemp, rm, writeFile} from 'node:fs/promises';
import net, {type AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {until} from './until.js';

export interface NginxOptions {
	/** Where it keeps what is its own. */
	readonly directory: string;
	/** What it serves. */
	readonly root: string;
	readonly port: number;
}

/** Serves `root` until the test ends. Returns the URL of it, without a slash. */
export async function startNginx(t: ExecutionContext, root: string): Promise<string> {
	const directory = await mkdtemp(path.join(tmpdir(), 'larder-nginx-'));
	await chmod(directory, 0o755);
	const port = await freePort();
	const child = await spawnNginx({directory, root, port});
	if (child === undefined) throw new Error('nginx does not start');
	const exited = once(child, 'exit');
	t.teardown(async () => {
		child.kill('SIGKILL'); // it may wait for a drive that is gone
		await exited;
		await rm(directory, {recursive: true, force: true});
	});
	await until('nginx listens', () => answers(port));
	return `http://127.0.0.1:${port}`;
}

/** A process, which may not listen yet; undefined where there is no nginx. */
export async function spawnNginx({directory, root, port}: NginxOptions): Promise<ChildProcess | undefined> {
	const config = path.join(directory, 'nginx.conf');
	await writeFile(config, nginxConfig({directory, root, port}));
	// Debian has it in sbin, which is not on everyone's PATH.
	const env = {PATH: `${process.env['PATH']}:/usr/sbin`};
	const child = spawn('nginx', ['-c', config, '-p', directory, '-e', path.join(directory, 'nginx.log')], {
		stdio: ['ignore', 'ignore', 'inherit'],
		env,
	});
	const started = await Promise.race([
		once(child, 'spawn').then(() => true),
		once(child, 'error').then(() => false),
	]).catch(() => false);
	return started ? child : undefined;
}

/** One process, so that there is none to be left behind. */
function nginxConfig({directory, root, port}: NginxOptions): string {
	const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
	return `
		daemon off;
		pid ${directory}/nginx.pid;
		master_process off;
		${process.getuid?.() === 0 ? 'user root;' : ''}
		events { worker_connections 256; }
		http {
			access_log off;
			sendfile on;
			keepalive_requests 1000000;
			default_type application/octet-stream;
			${temporary.map(name => `${name}_temp_path ${directory}/nginx-${name};`).join('\n')}
			server { listen 127.0.0.1:${port}; root ${root}; }
		}
	`;
}

/** Free a moment ago. */
export async function freePort(): Promise<number> {
	const server = net.createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const {port} = server.address() as AddressInfo;
	server.close();
	await once(server, 'close');
	return port;
}

export async function answers(port: number): Promise<boolean> {
	const socket = net.connect(port, '127.0.0.1');
	try {
		await once(socket, 'connect');
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}
