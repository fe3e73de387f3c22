import {after, type Awaitable} from '../../../base/awaitable.js';
import {CacheError} from '../../../base/errors.js';
import type {Attributes, Inode} from '../../../fs/inode.js';
import {Listing} from '../listing.js';
import {DirentPacker, type DirentFacts} from '../protocol/dirents.js';
import type {Request} from '../protocol/request.js';
import {OPEN_OUT} from '../protocol/structs.js';
import {HEADER_BYTES, type Data} from '../replies.js';
import type {ReplyBuffers} from '../reply-buffers.js';
import {fillEntry} from './attributes.js';
import {inodeOf, type Handlers, type Serving} from './handlers.js';

/** Entries that are made ready beforehand. glibc asks for 32 KiB at a time, which is about as many of them. */
const MOST_READY = 128;

/** Adds an entry to a reply; with what it is, where that is to be told. @returns whether there was room for it. */
type Add = (packer: DirentPacker, facts: DirentFacts, attributes: Attributes | undefined) => boolean;

/** What is about listing: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. */
export function serveDirectories(
	serving: Serving,
): Pick<Handlers, 'OPENDIR' | 'READDIR' | 'READDIRPLUS' | 'RELEASEDIR'> {
	const {operations, nodes, listings} = serving;
	const rewound = (request: Request<'READDIR' | 'READDIRPLUS'>, directory: Inode, signal: AbortSignal) => {
		const listing = listings.get(request.args.fh);
		if (request.args.offset !== 0) return listing;
		return after(operations.readdir(directory, signal), list => listing.rewind(directory.attributes(), list));
	};
	const read = (request: Request<'READDIR' | 'READDIRPLUS'>, add: Add, signal: AbortSignal): Awaitable<Data> =>
		after(inodeOf(nodes.get(request.nodeid), operations, signal), directory =>
			after(rewound(request, directory, signal), listing => {
				// For nobody any more: the kernel would never forget what it is given here.
				signal.throwIfAborted();
				const packed = pack(request, listing, add, serving.buffers);
				// While the reader looks at these.
				setImmediate(() => listing.prepare(MOST_READY));
				return packed;
			}),
		);
	return {
		OPENDIR({nodeid}, signal) {
			return after(inodeOf(nodes.get(nodeid), operations, signal), ({kind}) => {
				if (kind !== 'directory') throw new CacheError('not-permitted', 'not a directory');
				const handle = listings.add(new Listing());
				return (view, at) => {
					OPEN_OUT.at(view, at).fh = handle;
					return OPEN_OUT.sizeBytes;
				};
			});
		},
		READDIR: (request, signal) => read(request, (packer, facts) => packer.add(facts), signal),
		READDIRPLUS(request, signal) {
			const parent = nodes.get(request.nodeid);
			const add: Add = (packer, facts, attributes) => {
				const out = packer.addPlus(facts);
				// What is written is looked up, as is what may be told otherwise by now.
				if (out !== undefined && attributes !== undefined && parent.children?.get(facts.name)?.isFree !== false) {
					const node = nodes.give(parent, facts.name, undefined, attributes.version);
					fillEntry(out, node, attributes, serving);
				}

				return out !== undefined;
			};
			return read(request, add, signal);
		},
		RELEASEDIR({args: {fh}}) {
			listings.remove(fh);
			return undefined;
		},
	};
}

/** As many entries as there is room for, from an offset on; none at the end. */
function pack(
	{args: {offset, size}}: Request<'READDIR' | 'READDIRPLUS'>,
	listing: Listing,
	add: Add,
	buffers: ReplyBuffers,
): Data {
	const buffer = buffers.take(size);
	buffer.bytes.fill(0, HEADER_BYTES, HEADER_BYTES + size);
	const packer = new DirentPacker(buffer, HEADER_BYTES, size);
	for (let at = offset; ; at++) {
		const facts = listing.at(at);
		if (facts === undefined || !add(packer, facts, listing.attributesAt(at))) break;
	}

	return {buffer, sizeBytes: packer.sizeBytes};
}
