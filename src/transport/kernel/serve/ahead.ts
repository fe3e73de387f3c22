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
 * whatever has come by then. Whoever else looks the name up meanwhile is told
 * the same. Where there is nothing to open the file is empty, and its open says why.
 *
 * @param told - what is told of a node that is not reserved for a reader.
 */
export function openAhead(node: Node, told: Attributes, serving: Serving, signal: AbortSignal): Awaitable<Attributes> {
	const {reservation, inode} = node;
	if (reservation?.isReader !== true || inode === undefined) return told;
	if (reservation.told !== undefined) return reservation.told;
	// From here on its inode stays the one that is opened.
	node.handles++;
	reservation.told = otherwise(
		() => open(node, inode, serving, AbortSignal.any([signal, AbortSignal.timeout(AHEAD_MS)])),
		() => {
			node.handles--;
			return {...told, sizeBytes: 0, validForMs: 0};
		},
	);
	return reservation.told;
}

function open(node: Node, inode: Inode, serving: Serving, signal: AbortSignal): Awaitable<Attributes> {
	const {operations, openHandles} = serving;
	return after(operations.open(inode, READ, signal), handle => {
		openHandles.set(handle, node);
		const timer = setTimeout(() => void drop(node, serving), AHEAD_MS).unref();
		if (node.reservation !== undefined) node.reservation.ahead = {handle, timer};
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
	reservation.told = undefined;
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
