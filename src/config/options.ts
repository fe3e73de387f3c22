/**
 * Every setting, in one table. A row makes the flag (`--max-size 10GB`), the
 * environment variable (`LARDER_MAX_SIZE`), the YAML key (`max-size`) and the
 * field of `Settings` (`maxSize`).
 */
import {isDeepStrictEqual} from 'node:util';
import {LOG_FORMATS, LOG_LEVELS} from '../base/log.js';
import {
	AGE,
	BOOLEAN,
	choice,
	count,
	DESCRIPTOR,
	DURATION,
	FRESHNESS,
	HEADER,
	HOST_RULES,
	HOSTS,
	orNone,
	PATH,
	PATH_OR_NONE,
	PROGRAM,
	PROXY,
	RATE,
	SIZE,
	type Kind,
} from './kinds.js';
import {netrcFile, xdgDirectory, type Surroundings} from './xdg.js';

/** The policies by the names that the store has for them; this layer may not ask it. */
export const POLICY_NAMES = ['least-recently-used', 'least-frequently-used', 'least-recently-stored', 'none'] as const;

/** What reading a part of a file fetches, by the names that the cache has for it; this layer may not ask it either. */
export const FILL_NAMES = ['auto', 'ranges', 'whole'] as const;

export interface Option<T> {
	readonly help: string;
	readonly kind: Kind<T>;
	/** As a user would write it; nothing where a setting is optional. */
	readonly default: string | boolean | ((surroundings: Surroundings) => string) | undefined;
	/** Whether a changed configuration file takes effect without a restart. */
	readonly live: boolean;
	/** Whether it is a key of the file alone, because flags and variables can be seen by others, or cannot hold it. */
	readonly fileOnly?: true;
}

export const OPTIONS = {
	'cache-dir': option({
		help: 'directory that holds the downloaded files',
		kind: PATH,
		default: surroundings => xdgDirectory('XDG_CACHE_HOME', surroundings),
		live: false,
	}),
	'max-size': option({help: 'disk space to use at most', kind: orNone(SIZE), default: '10GB', live: true}),
	'max-entries': option({help: 'files to keep at most', kind: orNone(count(1)), default: 'none', live: true}),
	'max-age': option({
		help: 'time after which a file leaves, from when it was stored',
		kind: orNone(AGE),
		default: 'none',
		live: true,
	}),
	'min-free': option({help: 'disk space to leave free for others', kind: SIZE, default: '0', live: true}),
	'policy': option({
		help: 'which file leaves first when there is no room; none refuses new files instead',
		kind: choice(POLICY_NAMES),
		default: 'least-recently-used',
		live: true,
	}),
	'log-level': option({help: 'least severity that is logged', kind: choice(LOG_LEVELS), default: 'info', live: true}),
	'log-format': option({
		help: 'how log lines are written; auto is readable on a terminal, with priorities under systemd, else JSON',
		kind: choice(['auto', ...LOG_FORMATS]),
		default: 'auto',
		live: false,
	}),
	'read-only': option({help: 'refuse to store or remove files', kind: BOOLEAN, default: false, live: false}),
	'allow-other': option({help: 'let other users use the drive', kind: BOOLEAN, default: false, live: false}),
	'transport': option({
		help: 'how the kernel is spoken to; kernel is on trial, auto is kernel where that works here; where one does not, the other is used, but for fuse-native that was asked for',
		kind: choice(['fuse-native', 'kernel', 'auto']),
		default: 'fuse-native',
		live: false,
	}),
	'passthrough': option({
		help: 'let the kernel read stored files by itself, with --transport kernel as root; auto is on without a word where it cannot',
		kind: choice(['auto', 'on', 'off']),
		default: 'auto',
		live: false,
	}),
	'fuse-fd': option({
		help: 'descriptor of /dev/fuse that who started larder has mounted already; it is theirs to unmount',
		kind: DESCRIPTOR,
		default: 'none',
		live: false,
	}),
	'reencode-gif': option({help: 'store GIF images as MP4 video', kind: BOOLEAN, default: true, live: false}),
	'ffmpeg': option({help: 'ffmpeg to use before any other', kind: PROGRAM, default: undefined, live: false}),
	'connect-timeout': option({
		help: 'time for an origin to accept a connection',
		kind: DURATION,
		default: '10s',
		live: false,
	}),
	'headers-timeout': option({
		help: 'time for an origin to begin its answer',
		kind: DURATION,
		default: '20s',
		live: false,
	}),
	'idle-timeout': option({
		help: 'time that an origin may pause within an answer',
		kind: DURATION,
		default: '30s',
		live: false,
	}),
	'open-timeout': option({help: 'time for opening a file', kind: DURATION, default: '60s', live: false}),
	'read-timeout': option({help: 'time for one read of a file', kind: DURATION, default: '60s', live: false}),
	'retries': option({help: 'further attempts after a failed request', kind: count(0), default: '3', live: false}),
	'max-redirects': option({help: 'redirects to follow for one URL', kind: count(0), default: '10', live: false}),
	'networks': option({
		help: 'networks that files may come from; public is the internet alone, auto is public with --allow-other, else all',
		kind: choice(['auto', 'all', 'public']),
		default: 'auto',
		live: false,
	}),
	'allow-hosts': option({
		help: 'hosts that files may come from, and no others; from any network',
		kind: HOSTS,
		default: 'none',
		live: false,
	}),
	'deny-hosts': option({help: 'hosts that files may not come from', kind: HOSTS, default: 'none', live: false}),
	'max-file-size': option({help: 'largest file to fetch', kind: orNone(SIZE), default: 'none', live: false}),
	'max-downloads': option({help: 'downloads at the same time', kind: count(1), default: '16', live: false}),
	'max-downloads-per-host': option({
		help: 'downloads at the same time from one host',
		kind: count(1),
		default: '8',
		live: false,
	}),
	'bwlimit': option({
		help: 'bytes a second for all downloads together',
		kind: orNone(RATE),
		default: 'none',
		live: true,
	}),
	'fill': option({
		help: 'what reading a part of a file fetches; ranges is that part and a little ahead, whole all of it, auto all of it while it is read in order',
		kind: choice(FILL_NAMES),
		default: 'auto',
		live: false,
	}),
	'stream-unknown': option({
		help: 'hand out a file whose length only its end tells while it comes, with --transport kernel; until then its size is 0, and programs that go by that take it for empty',
		kind: BOOLEAN,
		default: false,
		live: false,
	}),
	'offline': option({
		help: 'make no request: what is stored is read, all else fails',
		kind: BOOLEAN,
		default: false,
		live: true,
	}),
	'user-agent': option({
		help: 'User-Agent header of every request',
		kind: HEADER,
		default: ({version}) => `larder/${version}`,
		live: false,
	}),
	'freshness': option({
		help: 'how long what is stored counts as what the origin has; http is as its answer said',
		kind: FRESHNESS,
		default: 'forever',
		live: false,
	}),
	'hosts': option({
		help: 'what requests to some hosts carry',
		kind: HOST_RULES,
		default: 'none',
		live: false,
		fileOnly: true,
	}),
	'netrc': option({help: 'file with logins for hosts', kind: PATH_OR_NONE, default: netrcFile, live: false}),
	'proxy': option({
		help: 'proxy of every request; auto is what HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say',
		kind: PROXY,
		default: 'auto',
		live: false,
	}),
	'ca-file': option({
		help: 'file of certificates (PEM) to trust besides those of Node',
		kind: PATH_OR_NONE,
		default: 'none',
		live: false,
	}),
} satisfies Record<string, Option<unknown>>;

export type OptionName = keyof typeof OPTIONS;

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
	? `${Head}${Capitalize<CamelCase<Tail>>}`
	: S;
type Value<O> = O extends Option<infer T> ? T : never;

/** Every setting with its value; sizes are in bytes, durations in milliseconds, and a limit of `none` is Infinity. */
export type Settings = {readonly [Name in OptionName as CamelCase<Name>]: Value<(typeof OPTIONS)[Name]>};

/** `'max-size'` -> `'maxSize'`. */
export function fieldOf(name: OptionName): keyof Settings {
	return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) as keyof Settings;
}

/** `'max-size'` -> `'LARDER_MAX_SIZE'`; undefined for what is said in the file alone. */
export function variableOf(name: OptionName): string | undefined {
	if (isFileOnly(name)) return undefined;
	return `LARDER_${name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * `'max-size'` -> `['--max-size <size>']`; `'read-only'` -> `['--read-only',
 * '--no-read-only']`, so that a flag can also undo what a file says. Declared
 * in this order, commander gives neither of the two a default. None for what
 * is said in the file alone.
 */
export function flagsOf(name: OptionName): readonly string[] {
	if (isFileOnly(name)) return [];
	const {argument} = OPTIONS[name].kind;
	return argument === undefined ? [`--${name}`, `--no-${name}`] : [`--${name} <${argument}>`];
}

/** Whether only the configuration file can say it. */
export function isFileOnly(name: OptionName): boolean {
	const row: Option<unknown> = OPTIONS[name];
	return row.fileOnly === true;
}

const OF_REQUESTS: readonly OptionName[] = ['hosts', 'netrc', 'proxy', 'ca-file'];

/** Whether a setting is for requests alone. */
export function isOfRequests(name: OptionName): boolean {
	return OF_REQUESTS.includes(name);
}

/** The default as a user would write it. */
export function defaultOf(name: OptionName, surroundings: Surroundings): string | boolean | undefined {
	const written: Option<unknown>['default'] = OPTIONS[name].default;
	return typeof written === 'function' ? written(surroundings) : written;
}

/** The names of the settings that differ. */
export function changedOptions(before: Settings, after: Settings): OptionName[] {
	return OPTION_NAMES.filter(name => !isDeepStrictEqual(before[fieldOf(name)], after[fieldOf(name)]));
}

function option<T>(row: Option<T>): Option<T> {
	return row;
}
