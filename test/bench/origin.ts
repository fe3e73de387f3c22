import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {chmod, mkdir} from 'node:fs/promises';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {answers, freePort, spawnNginx, type NginxOptions} from '../helpers/nginx.js';
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
	const {name, child} = (await startNginx({directory, root, port})) ?? startNode(root, port);
	const exited = once(child, 'exit');
	cleanup.add(async () => {
		child.kill('SIGTERM');
		await exited;
	});
	await until(`${name} listens`, () => answers(port));
	return {name, root, url: file => `http://127.0.0.1:${port}${file}`};
}

async function startNginx(options: NginxOptions) {
	const child = await spawnNginx(options);
	return child && {name: 'nginx', child};
}

function startNode(root: string, port: number): {name: string; child: ChildProcess} {
	const child = spawn(process.execPath, [NODE_ORIGIN, root, `${port}`], {stdio: ['ignore', 'ignore', 'inherit']});
	return {name: 'node:http (nginx is not installed)', child};
}
