import type {RowOptions} from './report.js';

/** How a drive can be mounted: the flags of `larder mount`, by the name in the table. */
export const MOUNTED = {
	'fuse-native': ['--transport', 'fuse-native'],
	'kernel': ['--transport', 'kernel', '--passthrough', 'off'],
	'kernel, passthrough': ['--transport', 'kernel', '--passthrough', 'on'],
} as const satisfies Record<string, readonly string[]>;

/** The same files without a drive. */
export const NATIVE = 'native ext4';

/** Whom each is compared with. */
export const AGAINST: RowOptions['against'] = {
	'fuse-native': [NATIVE],
	'kernel': [NATIVE, 'fuse-native'],
	'kernel, passthrough': [NATIVE, 'fuse-native'],
};
