import {spawn} from 'node:child_process';
import {once} from 'node:events';
import type {Server} from 'node:http';

/** Node has no setsockopt(2). What a listening socket has is that of each connection it accepts, socket(7). */
const PROGRAM = `
import os, socket, sys
listening = socket.socket(fileno=os.dup(0))
listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(sys.argv[1]))
`;

/**
 * Lets the kernel keep no more than about twice this of what a server has
 * written and the other side has not taken. Else that is 4 MB, which nobody has
 * fetched.
 *
 * @throws Error where there is no python3.
 */
export async function limitSendBuffer(server: Server, bytes: number): Promise<void> {
	const {_handle: handle} = server as {_handle?: {readonly fd: number}};
	if (handle === undefined) throw new Error('the server does not listen');
	const child = spawn('python3', ['-c', PROGRAM, `${bytes}`], {stdio: [handle.fd, 'ignore', 'inherit']});
	const [code] = (await once(child, 'exit')) as [number | null];
	if (code !== 0) throw new Error(`python3 ended with ${code}`);
}
