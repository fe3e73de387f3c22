import {constants as fileConstants, existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import {constants} from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import type {default as Fuse, Handlers, Reply, Stat} from 'fuse-native';
import {descriptorsOn, isOn} from '../base/clean-spawn.js';
import {CacheError, hasCode, systemCode} from '../base/errors.js';
import type {Capabilities} from '../fs/capabilities.js';
import type {Access, Inode} from '../fs/inode.js';
import type {HandleId, Operations} from '../fs/operations.js';
import {limitOf} from './bounds.js';
import type {Deadlines, Dispatcher} from './dispatch.js';
import {widenReadahead} from './readahead.js';
import {toListing, toStat, toStatFs} from './stat.js';
import {subjectOf} from './subject.js';
import type {MountOptions, Transport} from './transport.js';

const {EPERM} = constants.errno;
const {O_ACCMODE, O_RDONLY, O_WRONLY, O_TRUNC} = {...fileConstants, O_ACCMODE: 3};

/**
 * Options of libfuse 2 that the binding has no word for; it passes this text on
 * as it is (mount.fuse(8)): inode numbers of ours, O_TRUNC together with the
 * open, so that a put is told from a download, and writes of 128 KiB.
 */
const LIBFUSE_OPTIONS = 'larder,use_ino,atomic_o_trunc,big_writes';

/** libfuse renames an open file to this before it unlinks it. */
const HIDDEN_PREFIX = '.fuse_hidden';

/** How long libfuse believes a name, in seconds. Attributes it never does: a size is known only after `open`. */
const ENTRY_TIMEOUT_S = '1';

/**
 * libfuse 2 passes UTIME_NOW on as the time it is, and the binding the access
 * time alone: this far from now it is somebody's wish for another time, in ms.
 */
const NOW_MS = 1000;

/** How often we look whether libfuse still has the device. */
const LOOK_EVERY_MS = 1000;

export const FUSE_NATIVE_CAPABILITIES: Capabilities = {
	parallelLookup: false,
	interrupt: false,
	directIo: false,
	invalidate: false,
	nodePerVersion: false,
	passthrough: false,
};

/**
 * The drive on fuse-native (libfuse 2, protocol 7.19). It speaks of paths, so
 * each operation walks down to its inode first, which costs no I/O.
 */
export class FuseNative implements Transport {
	readonly name = 'fuse-native';
	readonly capabilities = FUSE_NATIVE_CAPABILITIES;

	/** Of `ended`. */
	#end: () => void = () => undefined;
	readonly ended = new Promise<void>(resolve => {
		this.#end = resolve;
	});

	#watching: NodeJS.Timeout | undefined;
	readonly #mountpoint: string;
	readonly #fuse: Fuse;
	/** Files that were unlinked while they were open, by the path that libfuse gave them. */
	readonly #hidden = new Map<string, Inode>();

	constructor(
		private readonly operations: Operations,
		private readonly dispatcher: Dispatcher,
		private readonly deadlines: Deadlines,
		{mountpoint, allowOther}: MountOptions,
	) {
		const Binding = loadBinding();
		this.#mountpoint = mountpoint;
		this.#fuse = new Binding(mountpoint, this.#handlers(), {
			timeout: false,
			fsname: LIBFUSE_OPTIONS,
			subtype: 'larder',
			allowOther,
			autoCache: true,
			// The kernel lets in nobody but the owner anyway; asking for permissions costs a third of all requests.
			defaultPermissions: allowOther,
			attrTimeout: '0',
			entryTimeout: ENTRY_TIMEOUT_S,
		});
	}

	async mount(): Promise<void> {
		await promisify(this.#fuse.mount.bind(this.#fuse))();
		this.#watchDevice();
		await widenReadahead(this.#mountpoint);
	}

	async unmount(): Promise<void> {
		this.dispatcher.close();
		clearInterval(this.#watching);
		await promisify(this.#fuse.unmount.bind(this.#fuse))();
	}

	/** libfuse tells nobody that the kernel has ended it, but closes the device. */
	#watchDevice(): void {
		const device = descriptorsOn().at(-1);
		if (device === undefined) return;
		const look = () => {
			if (isOn(device)) return;
			clearInterval(this.#watching);
			this.#end();
		};
		this.#watching = setInterval(look, LOOK_EVERY_MS).unref();
	}

	#handlers(): Partial<Handlers> {
		const refuse = (...args: unknown[]) => (args.at(-1) as Reply)(-EPERM);
		return {
			...this.#namespace(),
			...this.#files(),
			...this.#writes(),
			...{mkdir: refuse, rmdir: refuse, mknod: refuse, link: refuse, symlink: refuse},
		};
	}

	#namespace(): Partial<Handlers> {
		const {operations} = this;
		const getattr = (target: string, reply: Reply<[Stat?]>) =>
			this.#answer('getattr', target, reply, async signal => {
				const inode = await this.#inode(target, signal);
				return [0, toStat(await operations.getattr(inode, signal))];
			});
		return {
			getattr,
			fgetattr: (target, _handle, reply) => getattr(target, reply),
			statfs: (target, reply) =>
				this.#answer('statfs', target, reply, async signal => [0, toStatFs(await operations.statfs(signal))]),
			readdir: (target, reply) =>
				this.#answer('readdir', target, reply, async signal => {
					const directory = await this.#inode(target, signal);
					const self = toStat(await operations.getattr(directory, signal));
					const {names, stats} = toListing(await operations.readdir(directory, signal));
					return [0, ['.', '..', ...names], [self, self, ...stats]];
				}),
			unlink: (target, reply) =>
				this.#answer('unlink', target, reply, async signal => {
					if (!this.#hidden.delete(target)) await this.#unlink(target, signal);
					return [0];
				}),
			rename: (from, to, reply) =>
				this.#answer('rename', from, reply, async signal => {
					await this.#hide(from, to, signal);
					return [0];
				}),
		};
	}

	#files(): Partial<Handlers> {
		const {operations} = this;
		return {
			open: (target, flags, reply) =>
				this.#answer('open', target, reply, async signal => {
					const inode = await this.#inode(target, signal);
					return [0, await this.#open(inode, accessOf(flags), signal)];
				}),
			create: (target, _mode, reply) =>
				this.#answer('create', target, reply, async signal => {
					const inode = await this.#inode(target, signal).catch(refuseCreation);
					return [0, await this.#open(inode, {read: true, write: true, truncate: true}, signal)];
				}),
			read: (target, handle, buffer, _length, position, reply) =>
				this.#answer('read', target, reply, async signal => [await operations.read(handle, buffer, position, signal)]),
			flush: (target, handle, reply) =>
				this.#answer('flush', target, reply, async signal => {
					await operations.flush(handle, signal);
					return [0];
				}),
			release: (target, handle, reply) =>
				this.#answer('release', target, reply, async signal => {
					await operations.release(handle, signal);
					return [0];
				}),
		};
	}

	#writes(): Partial<Handlers> {
		const {operations} = this;
		const truncate = (target: string, handle: HandleId | undefined, size: number, reply: Reply) =>
			this.#answer('truncate', target, reply, async signal => {
				await operations.truncate(await this.#inode(target, signal), handle, size, signal);
				return [0];
			});
		// cp -p and rsync set what larder has no place for; refusing would make them fail.
		const accept = (target: string, ...args: unknown[]) =>
			this.#answer('setattr', target, args.at(-1) as Reply, async signal => {
				await this.#inode(target, signal);
				return [0];
			});
		return {
			write: (target, handle, buffer, _length, position, reply) =>
				this.#answer('write', target, reply, async signal => [
					await operations.write(handle, buffer, position, signal),
				]),
			truncate: (target, size, reply) => truncate(target, undefined, size, reply),
			ftruncate: (target, handle, size, reply) => truncate(target, handle, size, reply),
			fsync: (target, _dataOnly, handle, reply) =>
				this.#answer('fsync', target, reply, async signal => {
					await operations.flush(handle, signal);
					return [0];
				}),
			utimens: (target, atimeMs, _mtimeMs, reply) => {
				if (Math.abs(Date.now() - atimeMs) > NOW_MS) accept(target, reply);
				else this.#touch(target, reply);
			},
			...{chmod: accept, chown: accept},
		};
	}

	#touch(target: string, reply: Reply): void {
		this.#answer('touch', target, reply, async signal => {
			await this.operations.touch(await this.#inode(target, signal), signal);
			return [0];
		});
	}

	/** Replies exactly once, with an integer: anything else hangs the caller for ever. */
	#answer<T extends unknown[]>(
		name: string,
		target: string,
		reply: (status: number, ...value: T | []) => void,
		work: (signal: AbortSignal) => Promise<[number, ...T]>,
	): void {
		// Into the binding's own buffer, which it takes back with the reply.
		const mustSettle = name === 'read' || name === 'write';
		const operation = {name, subject: () => subjectOf(target), limitMs: limitOf(name, this.deadlines), mustSettle};
		void this.dispatcher.run(operation, work).then(outcome => {
			if ('errno' in outcome) reply(-outcome.errno);
			else reply(...outcome.value);
		});
	}

	async #inode(target: string, signal: AbortSignal): Promise<Inode> {
		const hidden = this.#hidden.get(target);
		if (hidden !== undefined) return hidden;
		let inode: Inode = this.operations.root;
		for (const name of target.split('/')) {
			if (name !== '') inode = await this.operations.lookup(inode, name, signal);
		}

		return inode;
	}

	async #open(inode: Inode, access: Access, signal: AbortSignal): Promise<HandleId> {
		const handle = await this.operations.open(inode, access, signal);
		if (signal.aborted) {
			await this.operations.release(handle, signal);
			throw signal.reason as Error;
		}

		return handle;
	}

	async #unlink(target: string, signal: AbortSignal): Promise<void> {
		const parent = await this.#inode(path.dirname(target), signal);
		await this.operations.unlink(parent, path.basename(target), signal);
	}

	/** The one rename there is: libfuse hides an open file before it unlinks it, which is the eviction. */
	async #hide(from: string, to: string, signal: AbortSignal): Promise<void> {
		if (!path.basename(to).startsWith(HIDDEN_PREFIX)) {
			throw new CacheError('not-permitted', 'a name on the drive is its URL, and stays');
		}

		const inode = await this.#inode(from, signal);
		await this.#unlink(from, signal);
		this.#hidden.set(to, inode);
	}
}

/**
 * The binding wants `libfuse.so.2`. Where the system has none, the one that
 * comes with its package is loaded beforehand: the loader then takes that, by
 * its name. It is no module of Node's, hence the error, and stays in memory
 * all the same (RTLD_NODELETE, dlopen(3)).
 *
 * @throws Error, one sentence, where there is none for this machine.
 */
export function loadBinding(): typeof Fuse {
	const require = createRequire(import.meta.url);
	try {
		return require('fuse-native') as typeof Fuse;
	} catch (cause) {
		if (systemCode(cause) === 'MODULE_NOT_FOUND') {
			throw new Error('fuse-native is not installed: npm install fuse-native, or use --transport kernel', {cause});
		}

		const {RTLD_NOW, RTLD_GLOBAL} = constants.dlopen;
		try {
			process.dlopen({exports: {}}, require.resolve(BUNDLED_LIBFUSE), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
		} catch {
			// Expected; whether it helped shows below.
		}
	}

	try {
		return require('fuse-native') as typeof Fuse;
	} catch (cause) {
		const isMade = existsSync(path.join(path.dirname(require.resolve('fuse-native')), 'prebuilds', MACHINE));
		const hint = isMade ? 'install libfuse2 (Debian: apt install libfuse2)' : `it has no binary for ${MACHINE}`;
		throw new Error(`fuse-native does not load: ${hint}, or use --transport kernel`, {cause});
	}
}

/** As the package names the directory of its binary. */
const MACHINE = `${process.platform}-${process.arch}`;
const BUNDLED_LIBFUSE = 'fuse-shared-library-linux/libfuse/lib/libfuse.so';
const RTLD_NODELETE = 0x1000;

function accessOf(flags: number): Access {
	const mode = flags & O_ACCMODE;
	return {read: mode !== O_WRONLY, write: mode !== O_RDONLY, truncate: (flags & O_TRUNC) !== 0};
}

function refuseCreation(error: unknown): never {
	if (!hasCode(error, 'not-stored')) throw error;
	throw new CacheError('not-permitted', 'only names that are URLs can be created, under by-url');
}
