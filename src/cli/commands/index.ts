import type {Command, Surroundings} from '../program.js';
import {doctorCommand} from './doctor.js';
import {getCommand} from './get.js';
import {lsCommand} from './ls.js';
import {mountCommand} from './mount.js';
import {pathCommand} from './path.js';
import {pinCommand} from './pin.js';
import {refreshCommand} from './refresh.js';
import {rmCommand} from './rm.js';
import {statsCommand} from './stats.js';
import {tagCommand} from './tag.js';
import {unmountCommand} from './unmount.js';
import {verifyCommand} from './verify.js';

/** Every command, in the order in which the help shows them. */
export const commands: ReadonlyArray<(surroundings: Surroundings) => Command> = [
	mountCommand,
	unmountCommand,
	pathCommand,
	getCommand,
	lsCommand,
	pinCommand,
	tagCommand,
	rmCommand,
	refreshCommand,
	statsCommand,
	verifyCommand,
	doctorCommand,
];
