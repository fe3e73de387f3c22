import {diagnose, type Finding} from '../../daemon/doctor/diagnose.js';
import {commandWith, requestOf, type Command, type Surroundings} from '../program.js';

/** What decides whether a mount would work. */
const SETTINGS = ['cache-dir', 'max-size', 'min-free', 'allow-other', 'transport', 'reencode-gif', 'ffmpeg'] as const;

export function doctorCommand(surroundings: Surroundings): Command {
	const command = commandWith('doctor', SETTINGS, surroundings)
		.description('say whether a mount would work here, and what is amiss; exit code 1 where it would not')
		.option('--json', 'as JSON');
	return command.action(async () => {
		const findings = await diagnose(requestOf(command, surroundings));
		const isMountable = findings.every(({level}) => level !== 'problem');
		const {json} = command.opts<{json?: boolean}>();
		if (json) console.log(JSON.stringify({mountable: isMountable, findings}));
		else for (const finding of findings) console.log(readable(finding));
		if (!isMountable) process.exitCode = 1;
	});
}

/** `warning  ffmpeg           no ffmpeg that works was found …` */
function readable({check, level, says}: Finding): string {
	return `${level.padEnd(8)} ${check.padEnd(16)} ${says}`;
}
