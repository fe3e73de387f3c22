/**
 * `npm run bench`: larder against plain files, curl and node-fetch, side by
 * side. Prints a table; `--json` prints it with every run as JSON.
 */
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {cpus, loadavg, release, tmpdir, totalmem} from 'node:os';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {run} from '../helpers/run.js';
import type {Bench, Findings, Workload} from './bench.js';
import {Cleanup} from './cleanup.js';
import {coldFile} from './cold-file.js';
import {diskCache} from './disk-cache.js';
import {library} from './library.js';
import {tenThousand} from './listing.js';
import {hundredThousand, million} from './many-entries.js';
import {startOrigin} from './origin.js';
import {table} from './report.js';
import {responseCache} from './response-cache.js';
import {seeking} from './seeking.js';
import {smallFiles} from './small-files.js';
import {transport} from './transport.js';
import {transportListing} from './transport-listing.js';
import {ttlCache} from './ttl-cache.js';
import {warmFile} from './warm-file.js';

const WORKLOADS: Readonly<Record<string, Workload>> = {
	'cold-file': coldFile,
	'seeking': seeking,
	'warm-file': warmFile,
	'small-files': smallFiles,
	'listing': tenThousand,
	'many-entries': hundredThousand,
	'transport': transport,
	'transport-listing': transportListing,
	'library': library,
	'disk-cache': diskCache,
	'ttl-cache': ttlCache,
	'response-cache': responseCache,
	'million': million,
};

/** Those that run unless others are named: all that takes minutes at most. */
const USUAL = Object.keys(WORKLOADS).filter(name => name !== 'million');

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		json: {type: 'boolean', default: false},
		rounds: {type: 'string', default: '5'},
		directory: {type: 'string', default: tmpdir()},
		// As the first line of src/cli/main.ts starts the program.
		node: {type: 'string', default: '--single-threaded-gc --max-semi-space-size=4'},
		help: {type: 'boolean', default: false},
	},
});
const unknown = positionals.filter(name => !(name in WORKLOADS));
if (values.help || unknown.length > 0 || !/^[1-9]\d*$/.test(values.rounds)) {
	console.error(`npm run bench -- [--json] [--rounds N] [--directory DIRECTORY] [--node OPTIONS] [${Object.keys(WORKLOADS).join('|')}]…

million     runs only when it is named: it takes many minutes, 9 GB of disk and 2 million inodes
seeking     shows a film where there are mpv and ffmpeg
library     needs python3, for the original's way, as do ttl-cache and response-cache
disk-cache  has the original beside it where Debian's python3-diskcache is installed
--directory where the files of it all are made, 4 GB at most without million; ${tmpdir()} unless told
--node      options of node for the daemons: --node='--cpu-prof --cpu-prof-dir=/somewhere'`);
	process.exit(values.help ? 0 : 2);
}

const cleanup = new Cleanup();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.once(signal, () => void cleanup.run().finally(() => process.exit(1)));
}

try {
	await main(positionals.length > 0 ? positionals : USUAL);
} finally {
	await cleanup.run();
}

async function main(names: readonly string[]): Promise<void> {
	const base = await mkdtemp(path.join(path.resolve(values.directory), 'larder-bench-'));
	cleanup.add(() => rm(base, {recursive: true, force: true}));
	const origin = await startOrigin(base, cleanup);
	const machine = await describeMachine(base, origin.name);
	if (!values.json) console.log(`${machine.join('\n')}\n`);
	const all: Findings[] = [];
	for (const name of names) {
		console.error(`${name} …`);
		const directory = path.join(base, name);
		await mkdir(directory);
		const own = new Cleanup();
		cleanup.add(() => own.run());
		const bench: Bench = {
			...{directory, origin, cleanup: own, rounds: Number(values.rounds)},
			nodeOptions: values.node.split(' ').filter(option => option !== ''),
		};
		all.push(await (WORKLOADS[name] as Workload)(bench));
		await own.run();
		await rm(directory, {recursive: true});
	}

	const rows = all.flatMap(findings => findings.rows);
	const runs = Object.fromEntries(all.flatMap(findings => Object.entries(findings.runs)));
	console.log(values.json ? JSON.stringify({machine, rows, runs}, undefined, '\t') : table(rows));
}

async function describeMachine(directory: string, origin: string): Promise<string[]> {
	const {stdout: fileSystem} = await run('stat', ['--file-system', '--format=%T', directory]);
	const [model] = cpus().map(cpu => cpu.model);
	return [
		`${cpus().length} x ${model}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, Node ${process.versions.node}`,
		`store on ${fileSystem.trim()}, origin: ${origin}`,
		`rounds: ${values.rounds}, load at the start: ${loadavg()[0]?.toFixed(1)}${values.node && `, node ${values.node}`}`,
	];
}
