/** Where each setting comes from: a flag, else the environment, else the configuration file, else its default. */
import {existsSync} from 'node:fs';
import path from 'node:path';
import {lilconfigSync, type LilconfigResult} from 'lilconfig';
import {parse as parseYaml} from 'yaml';
import {messageOf, systemCode} from '../base/errors.js';
import {closest} from './closest.js';
import type {Kind} from './kinds.js';
import {
	defaultOf,
	fieldOf,
	isFileOnly,
	OPTION_NAMES,
	OPTIONS,
	variableOf,
	type OptionName,
	type Settings,
	isOfRequests,
} from './options.js';
import {UsageError} from './usage-error.js';
import {xdgDirectory, type Surroundings} from './xdg.js';

export interface ConfigRequest extends Surroundings {
	/** As commander's `opts()` has them: only what is a setting counts, the rest is passed over. */
	readonly flags: Readonly<Record<string, unknown>>;
	/** The file of `--config`; without it `LARDER_CONFIG`, else the first of the usual places that exists. */
	readonly configFile?: string | undefined;
	/** Nobody is asked for anything: what requests need is not looked at, and so not wrong either. */
	readonly isLocal?: boolean;
}

/** `'file /etc/larder/config.yaml'` names the file. */
export type Origin = 'flag' | 'environment' | 'default' | `file ${string}`;

export interface Config {
	readonly settings: Settings;
	readonly origins: Readonly<Record<OptionName, Origin>>;
	/** The configuration file that was read. */
	readonly file: string | undefined;
	/** Where it was looked for, first to last: what to watch for changes. */
	readonly places: readonly string[];
}

/** A value as written, and where. */
interface Written {
	readonly value: unknown;
	readonly origin: Origin;
	/** What to call it in a message: `--max-size`, `LARDER_MAX_SIZE`, `/etc/…: max-size`. */
	readonly label: string;
	readonly directory: string;
}

/**
 * @throws UsageError for a file that is missing though named, unreadable or not
 *   YAML, for an unknown key, and for a value that is not what the setting
 *   expects; one sentence that names the place and the value.
 */
export function loadConfig(request: ConfigRequest): Config {
	const named = request.configFile ?? (request.env['LARDER_CONFIG'] || undefined);
	const places = named === undefined ? usualPlaces(request) : [path.resolve(request.directory, named)];
	const found = readFirst(places);
	if (found === undefined && named !== undefined) {
		throw new UsageError(`the configuration file ${places[0]} does not exist or cannot be reached`);
	}

	const settings: Partial<Record<keyof Settings, unknown>> = {};
	const origins: Partial<Record<OptionName, Origin>> = {};
	for (const name of OPTION_NAMES) {
		const isIdle = request.isLocal === true && isOfRequests(name);
		const written = writtenValue(name, request, isIdle ? undefined : found);
		settings[fieldOf(name)] = written.value === undefined ? undefined : parseValue(name, written, request);
		origins[name] = written.origin;
	}

	// The loop has been over every name, and each value is what its kind's schema made of it.
	return {settings: settings as Settings, origins: origins as Config['origins'], file: found?.file, places};
}

function usualPlaces(surroundings: Surroundings): string[] {
	return [path.join(xdgDirectory('XDG_CONFIG_HOME', surroundings), 'config.yaml'), '/etc/larder/config.yaml'];
}

function writtenValue(name: OptionName, request: ConfigRequest, found: ConfigFile | undefined): Written {
	const flag = isFileOnly(name) ? undefined : request.flags[fieldOf(name)];
	if (flag !== undefined) return {value: flag, origin: 'flag', label: `--${name}`, directory: request.directory};

	const variable = variableOf(name);
	const fromEnv = (variable !== undefined && request.env[variable]) || undefined;
	if (variable !== undefined && fromEnv !== undefined) {
		return {value: fromEnv, origin: 'environment', label: variable, directory: request.directory};
	}

	if (found && Object.hasOwn(found.values, name)) {
		const {file, values} = found;
		return {value: values[name], origin: `file ${file}`, label: `${file}: ${name}`, directory: path.dirname(file)};
	}

	return {value: defaultOf(name, request), origin: 'default', label: name, directory: request.directory};
}

function parseValue(name: OptionName, {value, label, directory}: Written, {home, env}: Surroundings): unknown {
	const kind: Kind<unknown> = OPTIONS[name].kind;
	const parsed = kind.schema({directory, home, env}).safeParse(value);
	if (parsed.success) return parsed.data;
	if (kind.isSecret) throw new UsageError(`${label}: ${parsed.error.issues[0]?.message}`);
	throw new UsageError(`${label} is ${shown(value)}; expected ${kind.expects}`);
}

function shown(value: unknown): string {
	let text: string;
	try {
		text = value === null ? 'empty' : JSON.stringify(value);
	} catch {
		// As YAML can have it: `&a [*a]`.
		return 'a value that holds itself';
	}

	return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

interface ConfigFile {
	readonly file: string;
	readonly values: Readonly<Record<string, unknown>>;
}

/** The first of `places` that exists, read and checked for unknown keys. */
function readFirst(places: readonly string[]): ConfigFile | undefined {
	const result = search(places);
	if (!result) return undefined;

	const file = result.filepath;
	const values: unknown = result.config ?? {};
	if (typeof values !== 'object' || values === null || Array.isArray(values)) {
		// Without its value: it may be a secret that has lost its line.
		throw new UsageError(`${file} is no mapping; expected lines such as "max-size: 10GB"`);
	}

	for (const key of Object.keys(values)) {
		if (!Object.hasOwn(OPTIONS, key)) throw new UsageError(`${file}: unknown setting "${key}"; ${suggestion(key)}`);
	}

	return {file, values: values as Record<string, unknown>};
}

function search(places: readonly string[]): LilconfigResult {
	const loaders = Object.fromEntries(places.map(place => [path.extname(place) || 'noExt', loadYaml]));
	// The places are absolute, so there is one directory to search them from, and none above it.
	const searcher = lilconfigSync('larder', {
		searchPlaces: [...places],
		stopDir: '/',
		ignoreEmptySearchPlaces: false,
		cache: false,
		loaders,
	});
	try {
		return searcher.search('/');
	} catch (error) {
		if (error instanceof UsageError) throw error;
		const file = places.find(place => existsSync(place));
		const reason = systemCode(error) === 'EACCES' ? 'permission denied' : messageOf(error);
		throw new UsageError(`cannot read the configuration file ${file}: ${reason}`, {cause: error});
	}
}

function loadYaml(file: string, text: string): unknown {
	try {
		return parseYaml(text, {logLevel: 'error'});
	} catch (error) {
		throw new UsageError(`${file} is not valid YAML: ${withoutQuotation(messageOf(error))}`);
	}
}

/** The message quotes the file: below its first line, behind a colon, and where an escape is wrong. All may be secrets. */
function withoutQuotation(message: string): string {
	const [sentence = ''] = message.split('\n');
	const [, where = ''] = /( at line \d+, column \d+):?$/.exec(sentence) ?? [];
	const what = sentence.replace(/( at line \d+, column \d+)?:?$/, '').replace(/(:| \\).*$/, '');
	return what + where;
}

function suggestion(key: string): string {
	const name = closest(key, OPTION_NAMES);
	return name === undefined ? `the settings are ${OPTION_NAMES.join(', ')}` : `did you mean "${name}"?`;
}
