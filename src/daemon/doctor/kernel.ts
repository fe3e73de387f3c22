import {release} from 'node:os';
import {isAdmin} from '../may-mount.js';
import {missingFor} from '../transports.js';
import {ok, type Subject, type Verdict} from './verdict.js';

/** A mount is tried: nothing else tells for sure. */
export async function checkKernel(subject: Subject): Promise<Verdict> {
	if (!canTry(subject)) return ok(`Linux ${release()}; a mount cannot be tried without koffi`);
	const {major, minor} = await subject.trial();
	return ok(`Linux ${release()} speaks FUSE ${major}.${minor}, and a mount that was tried worked`);
}

/** Nothing that a mount would need: it says what the machine has. */
export async function checkPassthrough(subject: Subject): Promise<Verdict> {
	if (!(await isAdmin(subject.host))) return ok('not possible: it is for root alone (CAP_SYS_ADMIN)');
	const missing = missingFor('kernel');
	if (missing !== undefined) return ok(`not possible: ${missing}`);
	const offered = await subject.trial().catch(() => undefined);
	if (offered === undefined) return ok('not known: a mount that was tried failed');
	if (!offered.passthrough) return ok('not possible: this kernel does not offer it, Linux 6.9 and later do');
	return ok('possible: the kernel offers it, and this user may');
}

/** Root hands the device to mount(8); anyone else has it sent, which needs koffi. */
function canTry({host}: Subject): boolean {
	return host.uid === 0 || missingFor('kernel') === undefined;
}
