import type {Origin} from '../config/load.js';
import type {Settings} from '../config/options.js';
import {messageOf} from '../base/errors.js';
import {loadBinding} from '../transport/fuse-native.js';
import {libc} from '../transport/kernel/libc.js';

/** Each with what its package has to bring, which throws an Error of one sentence where it is not there. */
const NEEDS = {'fuse-native': loadBinding, 'kernel': libc} as const;

export type TransportName = keyof typeof NEEDS;

/**
 * What is tried, first to last. Who asks for fuse-native gets that or an
 * error; who has said nothing gets a drive.
 */
export function transportsFor(setting: Settings['transport'], origin: Origin): TransportName[] {
	if (setting !== 'fuse-native') return ['kernel', 'fuse-native'];
	return origin === 'default' ? ['fuse-native', 'kernel'] : ['fuse-native'];
}

/** Why a transport cannot be used in this process, in one sentence; nothing where it can. */
export function missingFor(name: TransportName): string | undefined {
	try {
		NEEDS[name]();
		return undefined;
	} catch (error) {
		return messageOf(error);
	}
}
