import {quoted} from '../host.js';
import {larderMounts} from '../mount-table.js';
import {mountState, type MountState} from '../mount-state.js';
import {ok, warning, type Subject, type Verdict} from './verdict.js';

const AMISS: Readonly<Record<MountState, ((mountPoint: string) => string) | undefined>> = {
	live: undefined,
	dead: mountPoint => `${mountPoint} is dead: larder unmount ${quoted(mountPoint)}`,
	silent: mountPoint => `${mountPoint} does not answer: larder unmount --force ${quoted(mountPoint)}`,
};

/** The drives of this machine, and what to do about those that do not work. */
export async function checkMounts({host}: Subject): Promise<Verdict> {
	const mountPoints = [...new Set(await larderMounts(host.mountInfo))];
	const amiss = await Promise.all(mountPoints.map(async place => AMISS[await mountState(place)]?.(place)));
	const wrong = amiss.filter(text => text !== undefined);
	if (wrong.length > 0) return warning(wrong.join('; '));
	return ok(mountPoints.length === 0 ? 'none is mounted' : `${mountPoints.join(', ')}: each answers`);
}
