/** What every command has in common: its settings, its cache, its words for failures. */
import {Command, CommanderError} from 'commander';
import {CacheError, messageOf} from '../base/errors.js';
import {createLog, type Log} from '../base/log.js';
import {loadConfig, type Config, type ConfigRequest} from '../config/load.js';
import {defaultOf, flagsOf, OPTIONS, variableOf, type OptionName} from '../config/options.js';
import {UsageError} from '../config/usage-error.js';
import type {Surroundings} from '../config/xdg.js';
import {MountError} from '../daemon/mount-error.js';
import {LIMIT_OPTIONS, limitsOf, openCacheWith} from '../library/settings.js';
import type {UrlCache} from '../library/open.js';

export {Command, UsageError};
export type {Surroundings};

/** A command that takes these settings as flags, besides `--config`. */
export function commandWith(name: string, settings: readonly OptionName[], surroundings: Surroundings): Command {
	const command = new Command(name).option('--config <file>', 'the configuration file (LARDER_CONFIG)');
	for (const setting of settings) {
		const [flag, negation] = flagsOf(setting);
		if (flag === undefined) continue;
		command.option(flag, describe(setting, surroundings));
		if (negation !== undefined) command.option(negation, `the opposite of --${setting}`);
	}

	return command;
}

function describe(setting: OptionName, surroundings: Surroundings): string {
	const value = defaultOf(setting, surroundings);
	const suffix = value === undefined ? '' : `, default ${value}`;
	return `${OPTIONS[setting].help} (${variableOf(setting)}${suffix})`;
}

/** What the command line says, for `loadConfig`. */
export function requestOf(command: Command, surroundings: Surroundings): ConfigRequest {
	const flags = command.opts<Record<string, unknown>>();
	return {...surroundings, flags, configFile: flags['config'] as string | undefined};
}

/**
 * Runs `work` with the cache that the settings name, and closes it. No request
 * is made: `withAskingCache` is for that. The limits belong to the directory: a command keeps to them, and says some only where it
 * is told to by a flag.
 */
export function withCache<T>(command: Command, surroundings: Surroundings, work: Work<T>): Promise<T> {
	return run({...requestOf(command, surroundings), isLocal: true}, surroundings, work);
}

/** As `withCache`, for a cache that may ask origins. */
export function withAskingCache<T>(command: Command, surroundings: Surroundings, work: Work<T>): Promise<T> {
	return run(requestOf(command, surroundings), surroundings, work);
}

type Work<T> = (cache: UrlCache, config: Config) => Promise<T>;

async function run<T>(request: ConfigRequest, surroundings: Surroundings, work: Work<T>): Promise<T> {
	const config = loadConfig(request);
	const {settings, origins} = config;
	const said = LIMIT_OPTIONS.filter(name => origins[name] === 'flag');
	const limits = limitsOf(settings, said);
	const searchPath = surroundings.env['PATH'] ?? '';
	const cache = openCacheWith(settings, {limits, log: commandLog(config), searchPath, surroundings});
	try {
		return await work(cache, config);
	} finally {
		await cache.close();
	}
}

/** A command talks by itself: of its log only what is amiss is wanted, unless one asks for more. */
function commandLog({settings, origins}: Config): Log {
	const level = origins['log-level'] === 'default' ? 'warn' : settings.logLevel;
	return createLog({level, format: process.stderr.isTTY ? 'pretty' : 'json'});
}

/** Prints what went wrong, in one line where a person caused it, and returns the exit code. */
export function explain(error: unknown): number {
	// commander has printed it already.
	if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
	const isExpected = [UsageError, MountError, CacheError].some(kind => error instanceof kind) || isSystemError(error);
	console.error(`larder: ${isExpected || !(error instanceof Error) ? messageOf(error) : error.stack}`);
	return error instanceof UsageError ? 2 : 1;
}

/** ENOENT, EACCES and the like name the path themselves. */
function isSystemError(error: unknown): boolean {
	return error instanceof Error && 'syscall' in error;
}
