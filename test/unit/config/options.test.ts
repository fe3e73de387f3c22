import test from 'ava';
import {
	changedOptions,
	defaultOf,
	fieldOf,
	FILL_NAMES,
	flagsOf,
	OPTION_NAMES,
	OPTIONS,
	POLICY_NAMES,
	variableOf,
} from '../../../src/config/options.js';
import {loadConfig} from '../../../src/config/load.js';
import {FILL_MODES} from '../../../src/cache/fill-mode.js';
import {POLICIES} from '../../../src/store/policies.js';

const SURROUNDINGS = {env: {}, home: '/home/ann', directory: '/srv', version: '1.2.3'};

test('a setting has one name in four spellings', t => {
	t.is(fieldOf('max-size'), 'maxSize');
	t.is(variableOf('max-size'), 'LARDER_MAX_SIZE');
	t.deepEqual(flagsOf('max-size'), ['--max-size <size|none>']);
	t.deepEqual(flagsOf('log-level'), ['--log-level <debug|info|warn|error|silent>']);
});

test('a boolean setting has a flag for each of its values', t => {
	t.deepEqual(flagsOf('reencode-gif'), ['--reencode-gif', '--no-reencode-gif']);
});

test('every default is what its setting expects', t => {
	for (const name of OPTION_NAMES) {
		const written = defaultOf(name, SURROUNDINGS);
		const parsed = OPTIONS[name].kind.schema({directory: '/', home: '/home/ann', env: {}}).safeParse(written);
		t.true(parsed.success || (name === 'ffmpeg' && written === undefined), name);
	}
});

test('the policies to choose from are those of the store', t => {
	t.deepEqual([...POLICY_NAMES], Object.keys(POLICIES));
});

test('what a part of a file may fetch is told in the words of the cache', t => {
	t.deepEqual(FILL_NAMES, FILL_MODES);
});

test('the limits of downloading have their flags', t => {
	t.is(fieldOf('max-downloads-per-host'), 'maxDownloadsPerHost');
	t.deepEqual(flagsOf('bwlimit'), ['--bwlimit <rate|none>']);
	t.deepEqual(flagsOf('fill'), ['--fill <auto|ranges|whole>']);
});

test('what decides who leaves, what is logged, the bandwidth and being offline take effect without a restart', t => {
	const live = OPTION_NAMES.filter(name => OPTIONS[name].live);
	t.deepEqual(live, ['max-size', 'max-entries', 'max-age', 'min-free', 'policy', 'log-level', 'bwlimit', 'offline']);
});

test('the settings that differ are named', t => {
	const {settings} = loadConfig({...SURROUNDINGS, configFile: '/dev/null', flags: {}});
	t.deepEqual(changedOptions(settings, {...settings, maxSize: 1, cacheDir: '/x'}), ['cache-dir', 'max-size']);
	t.deepEqual(changedOptions(settings, {...settings}), []);
	t.deepEqual(changedOptions(settings, {...settings, maxEntries: Infinity}), []);
	t.deepEqual(changedOptions(settings, {...settings, denyHosts: []}), []);
	t.deepEqual(changedOptions(settings, {...settings, denyHosts: ['a.test']}), ['deny-hosts']);
});
