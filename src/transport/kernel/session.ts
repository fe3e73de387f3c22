import {constants} from 'node:os';
import {otherwise, type Awaitable} from '../../base/awaitable.js';
import {CacheError, messageOf} from '../../base/errors.js';
import type {Log} from '../../base/log.js';
import {HandleTable} from '../../fs/handle-table.js';
import type {HandleId, Operations} from '../../fs/operations.js';
import {limitOf} from '../bounds.js';
import type {Deadlines, Dispatcher, Outcome, Started} from '../dispatch.js';
import {subjectOf} from '../subject.js';
import {BackingFiles} from './backing-files.js';
import {Channel} from './channel.js';
import {isDying} from './dying.js';
import {InFlight, type Flight} from './in-flight.js';
import {Invalidation} from './invalidation.js';
import type {Listing} from './listing.js';
import {HAS_EPOCHS_MINOR, MAX_WRITE_BYTES, negotiate, OUR_VERSION} from './negotiate.js';
import {Nodes, type Node} from './nodes.js';
import {OPCODES, opcodeName, type Served} from './protocol/opcodes.js';
import {ProtocolError} from './protocol/protocol-error.js';
import {
	decodeBody,
	decodeHeader,
	forgotten,
	secondFlags,
	type Header,
	type Region,
	type Request,
} from './protocol/request.js';
import {INIT_OUT} from './protocol/structs.js';
import {Replies, type Body} from './replies.js';
import {Retries} from './retries.js';
import {Prefill} from './prefill.js';
import {ReplyPipe} from './reply-pipe.js';
import {serveAttributes} from './serve/attributes.js';
import {serveDirectories} from './serve/directories.js';
import {serveFiles} from './serve/files.js';
import type {Handler, Handlers, Serving} from './serve/handlers.js';
import {serveNames} from './serve/names.js';

const {EAGAIN, EINTR, EIO, ENOSYS, EPROTO} = constants.errno;

/**
 * What is done within this is done, signal or not: a program with a timer of its
 * own need not expect EINTR from a file that is on the disk.
 */
const INTERRUPT_AFTER_MS = 50;

/** What changes something, and waits for nothing but the disk, is finished: half of it is worse. */
const FINISHED: ReadonlySet<Served> = new Set([
	...(['WRITE', 'FLUSH', 'FSYNC', 'SETATTR', 'UNLINK', 'RELEASE', 'RELEASEDIR'] as const),
]);

/** A request that is answered from the file system. */
interface ServedFlight extends Flight {
	readonly request: Request<Served>;
}

/** Whether the kernel is told to read stored files by itself: where that can be done, and with a line in the log where not, or not at all. */
export type Passthrough = 'auto' | 'on' | 'off';

export interface SessionParts {
	readonly operations: Operations;
	readonly dispatcher: Dispatcher;
	readonly deadlines: Deadlines;
	readonly log: Log;
	readonly passthrough: Passthrough;
}

/**
 * The kernel's end of a drive: takes requests one after another and answers
 * them as they are done, in any order.
 */
export class Session {
	/** Resolves when the kernel and we have agreed. @throws Error, one sentence. */
	readonly begun: Promise<void>;
	/** Resolves when there are no more requests, with what went wrong if something did. */
	readonly ended: Promise<Error | undefined>;

	readonly #channel: Channel;
	readonly #replies: Replies;
	readonly #inFlight = new InFlight<ServedFlight>({
		start: ({request}) => this.#start(request),
		refuse: ({unique}) => this.#replies.fail(unique, EINTR),
	});

	readonly #serving: Serving;
	readonly #handlers: Handlers;
	#isOver = false;
	#begin: (failure?: Error) => void = () => undefined;
	#end: (error: Error | undefined) => void = () => undefined;

	/** @param device - mounted; the session closes it. */
	constructor(
		device: number,
		private readonly parts: SessionParts,
	) {
		this.begun = new Promise((resolve, reject) => {
			this.#begin = failure => (failure === undefined ? resolve() : reject(failure));
		});
		this.ended = new Promise(resolve => {
			this.#end = resolve;
		});
		this.#replies = new Replies((reply, length) => this.#channel.write(reply, length));
		const {operations} = parts;
		const nodes = new Nodes(operations.root);
		const invalidation = new Invalidation(nodes, notification => this.#channel.notify(notification));
		const backings = new BackingFiles(reason => this.#refusePassthrough(reason));
		const listings = new HandleTable<Listing>();
		operations.onChanged = (ino, now) => {
			for (const listing of listings.values()) listing.noteChange(ino);
			invalidation.onChanged(ino, now);
		};
		this.#serving = {
			...{operations, nodes, invalidation, backings, retries: new Retries(nodes)},
			prefill: new Prefill((notification, length) => this.#channel.write(notification, length)),
			pipe: new ReplyPipe((pipe, length) => this.#channel.splice(pipe, length)),
			...{buffers: this.#replies.buffers, listings, openHandles: new Map<HandleId, Node>()},
		};
		this.#handlers = handlersOf(this.#serving);
		this.#channel = new Channel(device, MAX_WRITE_BYTES, {
			onRequest: request => this.#take(request),
			isAllAnswered: () => this.#inFlight.size === 0,
			onEnd: error => this.#finish(error),
		});
	}

	/** Ends it: who still waits for the drive gets an error, and what was open is released. */
	close(): void {
		this.#channel.close();
		this.#finish(undefined);
	}

	#take(bytes: Region): void {
		let header: Header | undefined;
		try {
			header = decodeHeader(bytes);
			const request = decodeBody(header, bytes);
			if (request === undefined) this.#replies.fail(header.unique, ENOSYS);
			else this.#treat(request);
		} catch (error) {
			this.parts.log.error('a request could not be taken', {opcode: header?.opcode, reason: messageOf(error)});
			if (header === undefined || isForNobody(header)) return;
			this.#replies.fail(header.unique, error instanceof ProtocolError ? error.errno : EIO);
		}
	}

	#treat(request: Request): void {
		const {does} = OPCODES[request.name];
		switch (does) {
			case 'serve':
				this.#serve(request as Request<Served>);
				break;
			case 'session':
				this.#own(request);
				break;
			default:
				this.#replies.fail(request.unique, constants.errno[does]);
		}
	}

	/** What is about the conversation itself. */
	#own(request: Request): void {
		const {nodes} = this.#serving;
		switch (request.name) {
			case 'INIT':
				this.#init(request as Request<'INIT'>);
				break;
			case 'FORGET':
				nodes.forget(request.nodeid, (request as Request<'FORGET'>).args.nlookup);
				break;
			case 'BATCH_FORGET':
				for (const {nodeid, nlookup} of forgotten(request as Request<'BATCH_FORGET'>)) nodes.forget(nodeid, nlookup);
				break;
			case 'INTERRUPT':
				this.#interrupt(request as Request<'INTERRUPT'>);
				break;
			case 'DESTROY':
				this.#replies.send(request.unique, undefined);
				break;
			default:
				break; // a reply to a notification that is never sent
		}
	}

	/** What has overtaken its request is sent again after EAGAIN; of one that was answered the kernel wants to hear nothing. */
	#interrupt({unique, args}: Request<'INTERRUPT'>): void {
		const interrupted = args.unique;
		if (!this.#inFlight.has(interrupted)) this.#replies.fail(unique, EAGAIN);
		else setTimeout(() => this.#inFlight.interrupt(interrupted), INTERRUPT_AFTER_MS);
	}

	/** It does not work here: that is no failure, unless it was asked for. */
	#refusePassthrough(reason: string): void {
		if (this.parts.passthrough !== 'on') return;
		this.parts.log.warn('the kernel cannot read stored files by itself here: it asks for them', {reason});
	}

	#init(request: Request<'INIT'>): void {
		const {unique, args} = request;
		try {
			const {major, minor, flags, max_readahead} = args;
			const offer = {major, minor, flags, max_readahead, flags2: secondFlags(request)};
			const agreement = negotiate(offer, this.parts.passthrough !== 'off') ?? OUR_VERSION;
			this.#serving.invalidation.hasEpochs = minor >= HAS_EPOCHS_MINOR;
			this.#replies.send(unique, (view, at) => {
				Object.assign(INIT_OUT.at(view, at), agreement);
				return INIT_OUT.sizeBytes;
			});
			if (!('flags2' in agreement)) return;
			if (agreement.flags2 !== 0) this.#serving.backings.use(this.#channel);
			else this.#refusePassthrough('this kernel is older than Linux 6.9, or built without it');
			this.#begin();
		} catch (error) {
			this.#replies.fail(unique, EPROTO);
			this.#begin(error as Error);
		}
	}

	#serve(request: Request<Served>): void {
		const {unique, pid, name} = request;
		const handle = name === 'READ' ? (request as Request<'READ'>).args.fh : undefined;
		if (name === 'FLUSH') this.#releaseReads((request as Request<'FLUSH'>).args.fh);
		this.#inFlight.add({unique, pid, handle, isInterruptible: !FINISHED.has(name), request});
	}

	/** @returns undefined where it was answered at once. */
	#start(request: Request<Served>): Started<Body> | undefined {
		const name = request.name.toLowerCase();
		const operation = {name, limitMs: limitOf(name, this.parts.deadlines), subject: () => this.#subjectOf(request)};
		const handler = this.#handlers[request.name] as Handler<Served>;
		const started = this.parts.dispatcher.start(operation, signal => answer(handler, request, signal));
		if (!('outcome' in started)) {
			this.#answer(request, started);
			return undefined;
		}

		void started.outcome.then(outcome => this.#answer(request, outcome));
		return started;
	}

	#answer(request: Request<Served>, outcome: Outcome<Body>): void {
		if ('errno' in outcome) this.#replies.fail(request.unique, outcome.errno);
		else this.#reply(request, outcome.value);
	}

	/** Whatever becomes of it, the caller does not wait for ever. */
	#reply({unique, name}: Request, body: Body): void {
		try {
			this.#replies.send(unique, body);
		} catch (error) {
			this.parts.log.error('the kernel does not take a reply', {operation: name, reason: messageOf(error)});
			this.#replies.fail(unique, EIO);
		}
	}

	/** A killed reader has gone without a word, but closes its file: what it waited for need not come. */
	#releaseReads(handle: HandleId): void {
		for (const {unique, pid} of this.#inFlight.on(handle)) {
			if (isDying(pid)) this.#inFlight.interrupt(unique);
		}
	}

	#subjectOf({names: [name], nodeid}: Request<Served>): string {
		try {
			return subjectOf(name ?? this.#serving.nodes.get(nodeid).name);
		} catch (error) {
			return messageOf(error);
		}
	}

	#finish(error: Error | undefined): void {
		if (this.#isOver) return;
		this.#isOver = true;
		const {log} = this.parts;
		const {operations, openHandles, pipe} = this.#serving;
		pipe.close();
		if (error !== undefined) log.error('the kernel can no longer be heard', {reason: messageOf(error)});
		const gone = new CacheError('aborted', 'the drive was unmounted');
		this.#begin(error ?? gone);
		this.#end(error);
		this.parts.dispatcher.close();
		for (const handle of openHandles.keys()) {
			void otherwise(
				() => operations.release(handle, AbortSignal.abort(gone)),
				() => undefined,
			);
		}

		openHandles.clear();
	}
}

function handlersOf(serving: Serving): Handlers {
	return {
		...serveNames(serving),
		...serveAttributes(serving),
		...serveFiles(serving),
		...serveDirectories(serving),
	};
}

/** A request that is wrong is no failure of the drive's: it is told so, and nothing is logged. */
function answer(handler: Handler<Served>, request: Request<Served>, signal: AbortSignal): Awaitable<Body> {
	return otherwise(
		() => handler(request, signal),
		error => {
			if (error instanceof ProtocolError) return {errno: error.errno};
			throw error;
		},
	);
}

/** Whether no reply is taken. */
function isForNobody({opcode}: Header): boolean {
	const name = opcodeName(opcode);
	return name !== undefined && OPCODES[name].out === 'no reply';
}
