import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {chmod, mkdir, writeFile} from 'node:fs/promises';
import net, {type AddressInfo} from 'node:net';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {until} from '../helpers/until.js';
import type {Cleanup} from './cleanup.js';

/** A web server in a process of its own, over the files of a directory. */
export interface BenchOrigin {
	/** What serves, for the report. */
	readonly name: string;
	/** Where its files lie. */
	readonly root: string;
	url(path: string): string;
}

const NODE_ORIGIN = fileURLToPath(new URL('node-origin.js', import.meta.url));

/** nginx, or where there is none a server on node:http. The query of a URL means nothing to either. */
export async function startOrigin(directory: string, cleanup: Cleanup): Promise<BenchOrigin> {
	const root = path.join(directory, 'www');
	await mkdir(root, {recursive: true});
	await chmod(directory, 0o755);
	const port = await freePort();
	const {name, child} = (await startNginx(directory, root, port)) ?? startNode(root, port);
	const exited = once(child, 'exit');
	cleanup.add(async () => {
		child.kill('SIGTERM');
		await exited;
	});
	await until(`${name} listens`, () => answers(port));
	return {name, root, url: file => `http://127.0.0.1:${port}${file}`};
}

async function startNginx(directory: string, root: string, port: number) {
	const config = path.join(directory, 'nginx.conf');
	await writeFile(config, nginxConfig(directory, root, port));
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
	return started ? {name: 'nginx', child} : undefined;
}

function startNode(root: string, port: number): {name: string; child: ChildProcess} {
	const child = spawn(process.execPath, [NODE_ORIGIN, root, `${port}`], {stdio: ['ignore', 'ignore', 'inherit']});
	return {name: 'node:http (nginx is not installed)', child};
}

function nginxConfig(directory: string, root: string, port: number): string {
	const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
	return `
		daemon off;
		pid ${directory}/nginx.pid;
		worker_processes 1;
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
async function freePort(): Promise<number> {
	const server = net.createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const {port} = server.address() as AddressInfo;
	server.close();
	await once(server, 'close');
	return port;
}

async function answers(port: number): Promise<boolean> {
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
