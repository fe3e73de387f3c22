import {after, otherwise, type Awaitable} from '../../../base/awaitable.js';
import type {Access, Attributes, Inode} from '../../../fs/inode.js';
import type {HandleId} from '../../../fs/operations.js';
import type {Node} from '../nodes.js';
import type {Serving} from './handlers.js';

/** A lookup waits no longer, and by then whoever was told to look a name up again has opened what it found; in ms. */
const AHEAD_MS = 1000;

const READ: Access = {read: true, write: false, truncate: false};

/**
 * Opens a node for the reader it is reserved for, when that looks it up: another
 * ESTALE would reach the program, so it is to get the version that it is told of,
 * whatever has come by then. Where there is nothing to open, its own open says why.
 *
 * @param told - what it is told else.
 * @returns what it is told: how long what it will read is.
 */
export function openAhead(
	node: Node,
	inode: Inode,
	told: Attributes,
	serving: Serving,
	signal: AbortSignal,
): Awaitable<Attributes> {
	const {operations, openHandles} = serving;
	const {reservation} = node;
	if (reservation?.isReader !== true || reservation.ahead !== undefined) return told;
	const inTime = AbortSignal.any([signal, AbortSignal.timeout(AHEAD_MS)]);
	const opening = otherwise(
		() => operations.open(inode, READ, inTime),
		() => undefined,
	);
	return after(opening, handle => {
		if (handle === undefined) return told;
		openHandles.set(handle, node);
		node.handles++;
		const timer = setTimeout(() => void drop(node, serving), AHEAD_MS).unref();
		reservation.ahead = {handle, timer};
		return operations.getattr(inode, signal);
	});
}

/** The handle that was opened ahead for who opens the node now, if there is one. It is the caller's from then on. */
export function takeAhead(node: Node): HandleId | undefined {
	const {reservation} = node;
	const ahead = reservation?.ahead;
	if (reservation === undefined || ahead === undefined) return undefined;
	clearTimeout(ahead.timer);
	node.handles--;
	reservation.ahead = undefined;
	return ahead.handle;
}

/** Nobody has come for it. */
async function drop(node: Node, {operations, openHandles}: Serving): Promise<void> {
	const handle = takeAhead(node);
	if (handle === undefined || !openHandles.delete(handle)) return;
	await otherwise(
		() => operations.release(handle, new AbortController().signal),
		() => undefined,
	);
}
