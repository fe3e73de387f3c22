import {messageOf} from '../../base/errors.js';
import {loadConfig, type ConfigRequest} from '../../config/load.js';
import {probeKernel, type Offered} from '../../transport/kernel/probe.js';
import {thisHost} from '../host.js';
import {checkCacheDirectory, checkSpace} from './cache-directory.js';
import {checkFuseControl, checkFuseDevice, checkMayMount, checkOthers} from './fuse.js';
import {checkFfmpeg} from './ffmpeg.js';
import {checkKernel, checkPassthrough} from './kernel.js';
import {checkMounts} from './mounts.js';
import {checkBinding, checkKoffi, checkTransport} from './transport.js';
import {ok, problem, type Check, type Subject, type Verdict} from './verdict.js';

export interface Finding extends Verdict {
	readonly check: string;
}

/** In the order in which they are shown. */
const CHECKS: Readonly<Record<string, Check>> = {
	'cache directory': checkCacheDirectory,
	'disk space': checkSpace,
	'/dev/fuse': checkFuseDevice,
	'permission': checkMayMount,
	'other users': checkOthers,
	'koffi': checkKoffi,
	'fuse-native': checkBinding,
	'transport': checkTransport,
	'kernel': checkKernel,
	'passthrough': checkPassthrough,
	'fusectl': checkFuseControl,
	'ffmpeg': checkFfmpeg,
	'drives': checkMounts,
};

/** Looks at everything that a mount with these settings would need. Without a `problem` it would work. */
export async function diagnose(request: ConfigRequest): Promise<Finding[]> {
	const check = 'configuration';
	try {
		const config = loadConfig(request);
		const {file, places} = config;
		const configuration = ok(file === undefined ? `there is none at ${places.join(' or ')}` : `${file} was read`);
		const host = thisHost(request.env);
		const subject: Subject = {host, surroundings: request, config, trial: once(() => probeKernel(host))};
		return [{check, ...configuration}, ...(await examine(subject))];
	} catch (error) {
		return [{check, ...problem(messageOf(error))}];
	}
}

/** One after another: the drives are looked at when the mount that is tried has gone. */
async function examine(subject: Subject): Promise<Finding[]> {
	const findings: Finding[] = [];
	for (const [check, look] of Object.entries(CHECKS)) {
		const verdict = await Promise.resolve(subject)
			.then(look)
			.catch((error: unknown) => problem(messageOf(error)));
		findings.push({check, ...verdict});
	}

	return findings;
}

function once(work: () => Promise<Offered>): () => Promise<Offered> {
	let running: Promise<Offered> | undefined;
	return () => (running ??= work());
}
