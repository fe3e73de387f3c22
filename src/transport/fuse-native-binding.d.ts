/** The part of fuse-native 2.2 that is used. It has no types of its own. */
declare module 'fuse-native' {
	/** Called once, with 0 or a negative errno; anything else hangs the caller for ever. */
	type Reply<T extends unknown[] = []> = (status: number, ...value: T) => void;

	interface Stat {
		mode: number;
		uid: number;
		gid: number;
		size: number;
		nlink: number;
		/** 32 bits. */
		ino: number;
		/** Units of 512 bytes. */
		blocks: number;
		blksize: number;
		/** Epoch milliseconds. */
		mtime: number;
		atime: number;
		ctime: number;
	}

	interface StatFs {
		bsize: number;
		frsize: number;
		/** Units of `frsize`, 32 bits. */
		blocks: number;
		bfree: number;
		bavail: number;
		namemax: number;
	}

	interface Handlers {
		statfs(path: string, reply: Reply<[StatFs?]>): void;
		getattr(path: string, reply: Reply<[Stat?]>): void;
		fgetattr(path: string, handle: number, reply: Reply<[Stat?]>): void;
		readdir(path: string, reply: Reply<[string[]?, Stat[]?]>): void;
		open(path: string, flags: number, reply: Reply<[number?]>): void;
		create(path: string, mode: number, reply: Reply<[number?]>): void;
		/** The reply's status is the number of bytes read. */
		read(path: string, handle: number, buffer: Buffer, length: number, position: number, reply: Reply): void;
		/** The reply's status is the number of bytes written. */
		write(path: string, handle: number, buffer: Buffer, length: number, position: number, reply: Reply): void;
		truncate(path: string, size: number, reply: Reply): void;
		ftruncate(path: string, handle: number, size: number, reply: Reply): void;
		flush(path: string, handle: number, reply: Reply): void;
		fsync(path: string, dataOnly: boolean, handle: number, reply: Reply): void;
		release(path: string, handle: number, reply: Reply): void;
		unlink(path: string, reply: Reply): void;
		rename(from: string, to: string, reply: Reply): void;
		utimens(path: string, atime: number, mtime: number, reply: Reply): void;
		chmod(path: string, mode: number, reply: Reply): void;
		chown(path: string, uid: number, gid: number, reply: Reply): void;
		mkdir(path: string, mode: number, reply: Reply): void;
		rmdir(path: string, reply: Reply): void;
		mknod(path: string, mode: number, device: number, reply: Reply): void;
		link(from: string, to: string, reply: Reply): void;
		symlink(target: string, path: string, reply: Reply): void;
	}

	interface Options {
		timeout?: false;
		fsname?: string;
		subtype?: string;
		allowOther?: boolean;
		autoCache?: boolean;
		defaultPermissions?: boolean;
		/** Seconds as text: the number 0 would be dropped. */
		attrTimeout?: string;
		entryTimeout?: string;
	}

	export default class Fuse {
		constructor(mountpoint: string, handlers: Partial<Handlers>, options: Options);
		mount(done: (error: Error | null) => void): void;
		unmount(done: (error: Error | null) => void): void;
	}
}
