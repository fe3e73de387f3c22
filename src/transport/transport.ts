import type {Capabilities} from '../fs/capabilities.js';

/** A way in which the kernel's requests reach the operations of a drive. */
export interface Transport {
	readonly name: string;
	readonly capabilities: Capabilities;
	/** Settles when the kernel has no more requests, whoever has seen to that; absent where the binding does not tell. */
	readonly ended?: Promise<unknown>;
	/** Resolves when the drive is there for everyone. @throws Error, one sentence. */
	mount(): Promise<void>;
	/** Takes it away, at once for new users; who has a file open there gets an error. */
	unmount(): Promise<void>;
}

export interface MountOptions {
	/** An absolute path of an empty directory. */
	readonly mountpoint: string;
	/** Users other than the one who mounts it may look. */
	readonly allowOther: boolean;
}
