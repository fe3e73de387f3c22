#!/usr/bin/env -S node --single-threaded-gc --max-semi-space-size=4
/** The program. Only here are the environment, the home directory and the arguments looked at. */
import {readFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {getProxyForUrl as proxyFor} from 'proxy-from-env';
import {systemCode} from '../base/errors.js';
import {commands} from './commands/index.js';
import {Command, explain, type Surroundings} from './program.js';

const {version} = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
	version: string;
};
const surroundings: Surroundings = {env: process.env, home: homedir(), directory: process.cwd(), version, proxyFor};

// `larder ls | head` is no failure.
process.stdout.on('error', error => process.exit(systemCode(error) === 'EPIPE' ? 0 : 1));

const program = new Command('larder')
	.description('a drive whose files are URLs: reading one downloads it once and keeps it on disk')
	.version(version)
	.exitOverride()
	.configureOutput({outputError});
for (const create of commands) program.addCommand(create(surroundings).exitOverride().configureOutput({outputError}));

let exitCode = 0;
try {
	await program.parseAsync(process.argv);
} catch (error) {
	exitCode = explain(error);
}

// A binding's threads and idle connections must not keep a command that is done.
process.exit(process.exitCode ?? exitCode);

/** commander's messages in the words of ours: one line, whatever it suggests. */
function outputError(text: string, write: (line: string) => void): void {
	const message = text
		.replace(/^error: /, '')
		.trim()
		.replaceAll('\n', ' ')
		.replace(/\.$/, '');
	write(`larder: ${message}; larder --help shows what there is\n`);
}
