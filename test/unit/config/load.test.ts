import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {formatSize} from '../../../src/base/units.js';
import {loadConfig, type Config, type ConfigRequest} from '../../../src/config/load.js';
import {FILL_NAMES, POLICY_NAMES} from '../../../src/config/options.js';
import {UsageError} from '../../../src/config/usage-error.js';

/** A home without a configuration file. */
function home(t: ExecutionContext): string {
	const directory = mkdtempSync(path.join(os.tmpdir(), 'larder-config-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
}

function load(t: ExecutionContext, request: Partial<ConfigRequest> & {yaml?: string}): Config {
	const directory = request.home ?? home(t);
	const file = path.join(directory, 'larder.yaml');
	writeFileSync(file, request.yaml ?? '');
	return loadConfig({env: {}, flags: {}, home: directory, directory, version: '1.2.3', configFile: file, ...request});
}

function complaint(t: ExecutionContext, request: Partial<ConfigRequest> & {yaml?: string}): string {
	const error = t.throws(() => load(t, request), {instanceOf: UsageError});
	t.is(error.exitCode, 2);
	t.notRegex(error.message, /\n/);
	return error.message.replaceAll(/\S*\/larder-config-\w+\//g, '');
}

test('without anything said, every setting has its default', t => {
	const directory = home(t);
	const {settings, origins} = load(t, {home: directory});
	t.deepEqual(settings, {
		cacheDir: path.join(directory, '.cache/larder'),
		maxSize: 10 * 1024 ** 3,
		maxEntries: Infinity,
		maxAge: Infinity,
		minFree: 0,
		policy: 'least-recently-used',
		logLevel: 'info',
		logFormat: 'auto',
		readOnly: false,
		allowOther: false,
		reencodeGif: true,
		ffmpeg: undefined,
		connectTimeout: 10_000,
		headersTimeout: 20_000,
		idleTimeout: 30_000,
		openTimeout: 60_000,
		readTimeout: 60_000,
		retries: 3,
		maxRedirects: 10,
		networks: 'auto',
		allowHosts: [],
		denyHosts: [],
		maxFileSize: Infinity,
		maxDownloads: 16,
		maxDownloadsPerHost: 8,
		bwlimit: Infinity,
		fill: 'auto',
		streamUnknown: false,
		offline: false,
		transport: 'fuse-native',
		passthrough: 'auto',
		userAgent: 'larder/1.2.3',
		freshness: 'forever',
		fuseFd: undefined,
		hosts: [],
		netrc: undefined,
		proxy: 'auto',
		caFile: undefined,
	});
	t.deepEqual([...new Set(Object.values(origins))], ['default']);
});

test('a flag beats the environment, which beats the file, which beats the default', t => {
	const yaml = 'max-size: 1MB\nretries: 7\nidle-timeout: 5m';
	const env = {LARDER_MAX_SIZE: '2MB', LARDER_RETRIES: '8'};
	const {settings, origins, file} = load(t, {yaml, env, flags: {maxSize: '3MB'}});
	t.is(settings.maxSize, 3 * 1024 ** 2);
	t.is(settings.retries, 8);
	t.is(settings.idleTimeout, 300_000);
	t.is(origins['max-size'], 'flag');
	t.is(origins.retries, 'environment');
	t.is(origins['idle-timeout'], `file ${file}`);
	t.is(origins['max-downloads'], 'default');
});

test('a flag undoes what the file says', t => {
	t.false(load(t, {yaml: 'read-only: true', flags: {readOnly: false}}).settings.readOnly);
});

test('an empty variable counts as not set', t => {
	t.is(load(t, {env: {LARDER_RETRIES: ''}}).origins.retries, 'default');
});

test('flags that are no settings are passed over', t => {
	t.notThrows(() => load(t, {flags: {json: true, config: 'x'}}));
});

test('a boolean may be written as true, yes, on or 1 in the environment, and as yes in YAML', t => {
	for (const value of ['true', 'yes', 'on', '1']) {
		t.true(load(t, {env: {LARDER_READ_ONLY: value}}).settings.readOnly);
	}
	t.false(load(t, {yaml: 'reencode-gif: no'}).settings.reencodeGif);
});

test("a relative path starts from where it was written: the file's directory, or the working directory", t => {
	const directory = home(t);
	t.is(load(t, {home: directory, yaml: 'cache-dir: store'}).settings.cacheDir, path.join(directory, 'store'));
	t.is(load(t, {flags: {cacheDir: 'store'}, directory: '/srv'}).settings.cacheDir, '/srv/store');
});

test('~ is the home directory, also where no shell has expanded it', t => {
	const directory = home(t);
	t.is(load(t, {home: directory, yaml: 'cache-dir: ~/store'}).settings.cacheDir, path.join(directory, 'store'));
	t.is(load(t, {flags: {cacheDir: '/a/~b'}}).settings.cacheDir, '/a/~b');
});

test('ffmpeg may be a name to be found on PATH', t => {
	t.is(load(t, {flags: {ffmpeg: 'ffmpeg6'}}).settings.ffmpeg, 'ffmpeg6');
	t.is(load(t, {flags: {ffmpeg: './ffmpeg'}, directory: '/opt'}).settings.ffmpeg, '/opt/ffmpeg');
});

test('XDG directories are used when they are absolute', t => {
	const cacheDir = (value: string) => load(t, {home: home(t), env: {XDG_CACHE_HOME: value}}).settings.cacheDir;
	t.is(cacheDir('/var/cache'), '/var/cache/larder');
	t.regex(cacheDir('relative'), /\.cache\/larder$/);
});

test('the file is looked for under XDG_CONFIG_HOME, then under /etc', t => {
	const directory = home(t);
	const before = loadConfig({env: {}, flags: {}, home: directory, directory, version: '1'});
	t.deepEqual(before.places, [path.join(directory, '.config/larder/config.yaml'), '/etc/larder/config.yaml']);

	const file = path.join(directory, 'etc/larder/config.yaml');
	mkdirSync(path.dirname(file), {recursive: true});
	writeFileSync(file, 'retries: 1');
	const env = {XDG_CONFIG_HOME: path.join(directory, 'etc')};
	const after = loadConfig({env, flags: {}, home: directory, directory, version: '1'});
	t.deepEqual([after.file, after.settings.retries], [file, 1]);
});

test('LARDER_CONFIG names the file unless the flag does', t => {
	const directory = home(t);
	writeFileSync(path.join(directory, 'mine.conf'), 'retries: 9');
	const request = {flags: {}, home: directory, directory, version: '1', env: {LARDER_CONFIG: 'mine.conf'}};
	t.is(loadConfig(request).settings.retries, 9);
	t.is(loadConfig({...request, configFile: '/dev/null'}).settings.retries, 3);
});

test('an empty file, and one of comments only, say nothing', t => {
	t.is(load(t, {yaml: ''}).settings.retries, 3);
	t.is(load(t, {yaml: '# retries: 5\n'}).settings.retries, 3);
});

test('a wrong value is reported with its flag, variable or file, the value and what is expected', t => {
	const expected = 'expected a size such as 500MB or 10GB, or none';
	t.is(complaint(t, {flags: {maxSize: 'lots'}}), `--max-size is "lots"; ${expected}`);
	t.is(complaint(t, {env: {LARDER_MAX_SIZE: '-1'}}), `LARDER_MAX_SIZE is "-1"; ${expected}`);
	t.is(complaint(t, {yaml: 'max-size: [1]'}), `larder.yaml: max-size is [1]; ${expected}`);
});

test('a key without a value is a wrong value', t => {
	t.is(complaint(t, {yaml: 'retries:'}), 'larder.yaml: retries is empty; expected a whole number of 0 or more');
});

test('what no timer or counter can hold is a wrong value', t => {
	for (const duration of ['0s', '-5s', '25d', '30', 'soon', '']) {
		t.regex(complaint(t, {flags: {idleTimeout: duration}}), /^--idle-timeout is ".*"; expected a duration/);
	}

	t.regex(complaint(t, {yaml: 'idle-timeout: 30'}), /idle-timeout is 30; expected a duration with its unit/);
	for (const count of ['1.5', '-1', 'x']) t.regex(complaint(t, {flags: {retries: count}}), /whole number/);
	t.regex(complaint(t, {yaml: 'max-downloads: 0'}), /whole number of 1 or more/);
});

test('the word none lifts a limit, wherever it is written, and is what a size without a limit is shown as', t => {
	const {settings} = load(t, {yaml: 'max-size: none', env: {LARDER_MAX_AGE: 'none'}, flags: {maxEntries: 'none'}});
	t.deepEqual([settings.maxSize, settings.maxAge, settings.maxEntries], [Infinity, Infinity, Infinity]);
	t.is(formatSize(settings.maxSize), 'none');
});

test('none is no size to leave free, and no time for a timer', t => {
	t.is(complaint(t, {flags: {minFree: 'none'}}), '--min-free is "none"; expected a size such as 500MB or 10GB');
	t.regex(complaint(t, {flags: {idleTimeout: 'none'}}), /expected a duration with its unit, from 1ms to 24d/);
	t.regex(complaint(t, {yaml: 'max-size: .inf'}), /max-size is .*; expected a size such as 500MB or 10GB, or none$/);
});

test('an age may be longer than a timer can take, and has a unit', t => {
	const day = 86_400_000;
	const ages = {'12h': day / 2, '25d': 25 * day, '90d': 90 * day, '1y': 365.25 * day, '2 weeks': 14 * day};
	for (const [text, ms] of Object.entries(ages)) t.is(load(t, {flags: {maxAge: text}}).settings.maxAge, ms, text);
	for (const wrong of ['90', '0d', '-1d', 'd', 'never', '']) {
		const expected = 'expected a duration with its unit, such as 12h, 90d or 1y, or none';
		t.is(complaint(t, {flags: {maxAge: wrong}}), `--max-age is "${wrong}"; ${expected}`);
	}
});

test('a number of files to keep is whole, and at least 1', t => {
	t.is(load(t, {yaml: 'max-entries: 5000'}).settings.maxEntries, 5000);
	t.is(load(t, {env: {LARDER_MAX_ENTRIES: '1'}}).settings.maxEntries, 1);
	for (const wrong of ['0', '-1', '1.5', 'many']) {
		const expected = 'expected a whole number of 1 or more, or none';
		t.is(complaint(t, {flags: {maxEntries: wrong}}), `--max-entries is "${wrong}"; ${expected}`);
	}
});

test('disk space to leave free is a size, and may be 0', t => {
	t.is(load(t, {yaml: 'min-free: 2GB'}).settings.minFree, 2 * 1024 ** 3);
	t.is(load(t, {yaml: 'min-free: 0'}).settings.minFree, 0);
});

test('a policy is one of the four', t => {
	for (const name of POLICY_NAMES) t.is(load(t, {flags: {policy: name}}).settings.policy, name);
	t.regex(complaint(t, {yaml: 'policy: lru'}), /policy is "lru"; expected one of least-recently-used, /);
});

test('a bandwidth is bytes a second with a unit, or none', t => {
	const rates = {'10MB/s': 10 * 1024 ** 2, '500KB/s': 500 * 1024, '10MB': 10 * 1024 ** 2, 'none': Infinity};
	for (const [text, rate] of Object.entries(rates))
		t.is(load(t, {flags: {bwlimit: text}}).settings.bwlimit, rate, text);
	t.is(load(t, {yaml: 'bwlimit: 2MB/s'}).settings.bwlimit, 2 * 1024 ** 2);
	t.is(load(t, {env: {LARDER_BWLIMIT: '1GB/s'}}).settings.bwlimit, 1024 ** 3);
});

test('a bandwidth of zero, in bits or without a unit is a wrong value', t => {
	const expected = 'expected a rate in bytes such as 500KB/s or 10MB/s, or none';
	for (const wrong of ['0', '0B/s', '0MB', '10Mb/s', '10mbit', '80Mbps', '1000', '-1MB/s', 'fast']) {
		t.is(complaint(t, {flags: {bwlimit: wrong}}), `--bwlimit is "${wrong}"; ${expected}`);
	}

	for (const wrong of ['0', '1000']) {
		t.is(complaint(t, {yaml: `bwlimit: ${wrong}`}), `larder.yaml: bwlimit is ${wrong}; ${expected}`);
	}
});

test('downloads from one host are a whole number, and at least 1', t => {
	t.is(load(t, {yaml: 'max-downloads-per-host: 2'}).settings.maxDownloadsPerHost, 2);
	t.is(load(t, {env: {LARDER_MAX_DOWNLOADS_PER_HOST: '1'}}).settings.maxDownloadsPerHost, 1);
	for (const wrong of ['0', '1.5', 'none']) {
		const expected = 'expected a whole number of 1 or more';
		t.is(complaint(t, {flags: {maxDownloadsPerHost: wrong}}), `--max-downloads-per-host is "${wrong}"; ${expected}`);
	}
});

test('what a part of a file fetches is one of three words', t => {
	for (const name of FILL_NAMES) t.is(load(t, {flags: {fill: name}}).settings.fill, name);
	t.is(complaint(t, {yaml: 'fill: all'}), 'larder.yaml: fill is "all"; expected one of auto, ranges, whole');
});

test('hosts are separated by commas, or a list in YAML, and none is a list of none', t => {
	const hosts = ['example.org', '*.example.org', '10.0.0.0/8', '2001:db8::7'];
	t.deepEqual(
		load(t, {flags: {denyHosts: ' Example.org, *.example.org,10.0.0.0/8,2001:db8::7'}}).settings.denyHosts,
		hosts,
	);
	t.deepEqual(load(t, {yaml: `allow-hosts: [${hosts.map(host => `"${host}"`).join()}]`}).settings.allowHosts, hosts);
	t.deepEqual(load(t, {yaml: 'allow-hosts: example.org'}).settings.allowHosts, ['example.org']);
	for (const yaml of ['allow-hosts: none', 'allow-hosts: []']) t.deepEqual(load(t, {yaml}).settings.allowHosts, []);
	t.deepEqual(load(t, {yaml: 'deny-hosts: [a.test]', flags: {denyHosts: 'none'}}).settings.denyHosts, []);
});

test('what is no host, no network and no size of a file is a wrong value', t => {
	const expected =
		'expected hosts separated by commas, such as example.org, *.example.org, 192.0.2.7 or 10.0.0.0/8, or none';
	for (const wrong of ['', 'a.test,', 'http://a.test/', 'a.test:80', '10.0.0.0/40', '*', 'a.test,none']) {
		t.is(complaint(t, {flags: {denyHosts: wrong}}), `--deny-hosts is "${wrong}"; ${expected}`);
	}

	t.is(complaint(t, {yaml: 'allow-hosts: [a.test, 7]'}), `larder.yaml: allow-hosts is ["a.test",7]; ${expected}`);
	t.is(complaint(t, {flags: {networks: 'private'}}), '--networks is "private"; expected one of auto, all, public');
	t.regex(complaint(t, {flags: {maxFileSize: 'big'}}), /^--max-file-size is "big"; expected a size/);
});

test('a header that would break every request is a wrong value', t => {
	t.regex(complaint(t, {flags: {userAgent: 'a\nb'}}), /^--user-agent is "a\\nb"; expected one line/);
});

test('a word that is none of the choices is a wrong value', t => {
	const message = 'LARDER_LOG_LEVEL is "loud"; expected one of debug, info, warn, error, silent';
	t.is(complaint(t, {env: {LARDER_LOG_LEVEL: 'loud'}}), message);
});

test('an unknown key is reported with the setting it resembles', t => {
	t.is(complaint(t, {yaml: 'max-sise: 1'}), 'larder.yaml: unknown setting "max-sise"; did you mean "max-size"?');
	t.regex(complaint(t, {yaml: 'maxDownloads: 1'}), /did you mean "max-downloads"\?$/);
	t.regex(complaint(t, {yaml: 'colour: red'}), /unknown setting "colour"; the settings are cache-dir, max-size, /);
});

test('malformed YAML is reported with its line', t => {
	t.regex(complaint(t, {yaml: 'retries: 1\nretries: 2'}), /^larder\.yaml is not valid YAML: .* at line 2, column 1$/);
	t.regex(complaint(t, {yaml: 'a: b: c'}), /^larder\.yaml is not valid YAML: .* at line 1/);
});

test('YAML that is no mapping is reported', t => {
	t.is(complaint(t, {yaml: 'max-size'}), 'larder.yaml is no mapping; expected lines such as "max-size: 10GB"');
});

test('a named file that does not exist is reported, and so is a directory', t => {
	const directory = home(t);
	t.is(
		complaint(t, {configFile: path.join(directory, 'no.yaml')}),
		'the configuration file no.yaml does not exist or cannot be reached',
	);
	t.regex(complaint(t, {configFile: '/etc'}), /^cannot read the configuration file \/etc: /);
});

test('a file that may not be read is reported', t => {
	const directory = home(t);
	const file = path.join(directory, 'secret.yaml');
	writeFileSync(file, '');
	chmodSync(file, 0);
	chmodSync(directory, 0o755);
	const read = () => loadConfig({env: {}, flags: {}, home: directory, directory, version: '1', configFile: file});
	const message = `cannot read the configuration file ${file}: permission denied`;
	t.throws(() => asNobody(read), {instanceOf: UsageError, message});
});

/** Root may read everything, so it looks as nobody; loading is synchronous, so nothing else runs meanwhile. */
function asNobody(work: () => unknown): void {
	const euid = process.geteuid?.();
	if (euid === 0) process.seteuid?.('nobody');
	try {
		work();
	} finally {
		if (euid === 0) process.seteuid?.(0);
	}
}

test('a value that holds itself is told of like any other', t => {
	t.regex(complaint(t, {yaml: 'max-size: &a [*a]\n'}), /max-size is a value that holds itself; expected a size/);
});
