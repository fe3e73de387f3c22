import {formatSize} from '../../base/units.js';
import {loadConfig} from '../../config/load.js';
import {verifyDirectory, type Finding, type Summary, type Verification} from '../../library/verify.js';
import {commandWith, requestOf, type Command, type Surroundings} from '../program.js';
import {createProgress, type Arriving, type Counted} from '../progress.js';

interface Flags {
	readonly repair?: boolean;
	readonly read?: boolean;
	readonly json?: boolean;
}

export function verifyCommand(surroundings: Surroundings): Command {
	const command = commandWith('verify', ['cache-dir'], surroundings)
		.description(
			'look for damage in a cache directory, beside whoever works in it; exit code 1 for damage that is left',
		)
		.option('--repair', 'move damaged files to quarantine and correct the catalogue; else nothing is changed')
		.option('--read', 'read every byte too, as a disk that fails shows only then')
		.option('--json', 'one JSON object a line for each finding, and a summary at the end');
	return command.action(async () => {
		const {settings} = loadConfig(requestOf(command, surroundings));
		const flags = command.opts<Flags>();
		const {repair = false, read = false} = flags;
		const summary = await report(verifyDirectory(settings.cacheDir, {repair, read}), flags);
		if (summary.findings.found + summary.findings.failed > 0) process.exitCode = 1;
	});
}

async function report(verification: Verification, {read, json}: Flags): Promise<Summary> {
	const progress = createProgress(process.stderr);
	// On a terminal the bar is drawn below the lines, which it has to know of.
	const isOneTerminal = process.stdout.isTTY && process.stderr.isTTY;
	const print = isOneTerminal ? (line: string) => progress.print(line) : console.log;
	await progress.during('verify', read ? inBytes(verification) : inEntries(verification), async () => {
		for await (const finding of verification) print(json ? JSON.stringify(finding) : readable(finding));
	});
	progress.stop();
	const {summary} = verification;
	console.log(json ? JSON.stringify({kind: 'summary', ...summary}) : summarize(summary));
	return summary;
}

function inEntries({progress}: Verification): Counted {
	return progress;
}

function inBytes({progress}: Verification): Arriving {
	return {
		get arrivedBytes() {
			return progress.done;
		},
		get sizeBytes() {
			return progress.total;
		},
	};
}

/** `5f9c…: there is no data file; would be moved to quarantine; run with --repair` */
function readable({name, problem, action, outcome}: Finding): string {
	return [`${name}: ${problem}`, action, ...(outcome === 'found' ? ['run with --repair'] : [])].join('; ');
}

/** `12 entries, 3.4MB; 3 findings: 2 repaired, 1 too young to be judged; 1 foreign file left alone` */
function summarize({entries, bytes, foreign, findings, quarantine}: Summary): string {
	const {found, repaired, failed} = findings;
	const outcomes = [
		...some(found, 'not repaired'),
		...some(repaired, 'repaired'),
		...some(failed, 'cannot be repaired'),
		...some(findings['too-young'], 'too young to be judged'),
	];
	const sum = found + repaired + failed + findings['too-young'];
	return [
		`${counted(entries, 'entry', 'entries')}, ${formatSize(bytes)}`,
		sum === 0 ? 'no damage' : `${counted(sum, 'finding', 'findings')}: ${outcomes.join(', ')}`,
		...(foreign > 0 ? [`${counted(foreign, 'foreign name', 'foreign names')} left alone`] : []),
		...(quarantine.files > 0
			? [`${counted(quarantine.files, 'file', 'files')} (${formatSize(quarantine.bytes)}) in quarantine`]
			: []),
	].join('; ');
}

function some(count: number, what: string): string[] {
	return count === 0 ? [] : [`${count} ${what}`];
}

function counted(count: number, one: string, several: string): string {
	return `${count} ${count === 1 ? one : several}`;
}
