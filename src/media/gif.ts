/** Reading a GIF's structure without decoding its pixels (GIF89a specification, sections 15 to 27). */
import {open, type FileHandle} from 'node:fs/promises';

/** What must be known of a GIF before it is converted. */
export interface GifSummary {
	/** The logical screen, in pixels. */
	readonly width: number;
	readonly height: number;
	readonly frames: number;
	/** How long the last frame is shown, in 1/100 s, as written; 0 where nothing is written. */
	readonly lastDelay: number;
}

const HEADER_BYTES = 13;
const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE = 0x2c;
const IMAGE_DESCRIPTOR_BYTES = 9;
const CHUNK_BYTES = 256 * 1024;

/**
 * Walks the blocks of a GIF to its trailer. As browsers do, it takes the end of
 * the file or an unknown block in the place of the trailer.
 *
 * @throws Error when the file is no GIF, has no image, or ends inside a block.
 */
export async function summarizeGif(file: string): Promise<GifSummary> {
	const handle = await open(file, 'r');
	try {
		return await summarize(new Bytes(handle));
	} finally {
		await handle.close();
	}
}

async function summarize(bytes: Bytes): Promise<GifSummary> {
	const header = await bytes.take(HEADER_BYTES);
	if (!/^GIF8[79]a/.test(header.toString('latin1'))) throw new Error('the file is no GIF');
	await skipColorTable(bytes, header.readUInt8(10));

	let [frames, lastDelay, delay] = [0, 0, 0];
	for (;;) {
		const block = await bytes.next();
		if (block === EXTENSION) {
			delay = (await readExtension(bytes)) ?? delay;
		} else if (block === IMAGE) {
			await skipImage(bytes);
			frames++;
			[lastDelay, delay] = [delay, 0];
		} else {
			break;
		}
	}

	if (frames === 0) throw new Error('the GIF holds no image');
	return {width: header.readUInt16LE(6), height: header.readUInt16LE(8), frames, lastDelay};
}

/** The delay, if the extension is a graphic control. */
async function readExtension(bytes: Bytes): Promise<number | undefined> {
	const [label] = await bytes.take(1);
	const first = await takeSubBlock(bytes);
	if (first.length > 0) await skipSubBlocks(bytes);
	return label === GRAPHIC_CONTROL && first.length >= 3 ? first.readUInt16LE(1) : undefined;
}

async function skipImage(bytes: Bytes): Promise<void> {
	const descriptor = await bytes.take(IMAGE_DESCRIPTOR_BYTES);
	await skipColorTable(bytes, descriptor.readUInt8(8));
	await bytes.take(1);
	await skipSubBlocks(bytes);
}

/** `packed`: bit 7 says that a table follows, bits 0 to 2 that it has 2^(n+1) colours of 3 bytes. */
async function skipColorTable(bytes: Bytes, packed: number): Promise<void> {
	if (packed & 0x80) await bytes.take(3 << ((packed & 7) + 1));
}

async function skipSubBlocks(bytes: Bytes): Promise<void> {
	while ((await takeSubBlock(bytes)).length > 0);
}

/** Empty for the block that ends a sequence. */
async function takeSubBlock(bytes: Bytes): Promise<Buffer> {
	const length = await bytes.take(1);
	return bytes.take(length.readUInt8(0));
}

/** The bytes of a file in order, read in chunks. */
class Bytes {
	#chunk = Buffer.alloc(0);
	#offset = 0;

	constructor(private readonly handle: FileHandle) {}

	/** @throws Error when the file ends before `count` bytes. */
	async take(count: number): Promise<Buffer> {
		if (!(await this.#have(count))) throw new Error('the GIF is cut short');
		this.#offset += count;
		return this.#chunk.subarray(this.#offset - count, this.#offset);
	}

	/** One byte, or undefined at the end of the file. */
	async next(): Promise<number | undefined> {
		return (await this.#have(1)) ? this.#chunk[this.#offset++] : undefined;
	}

	async #have(count: number): Promise<boolean> {
		while (this.#chunk.length - this.#offset < count) {
			const {bytesRead, buffer} = await this.handle.read(Buffer.allocUnsafe(CHUNK_BYTES));
			if (bytesRead === 0) return false;
			this.#chunk = Buffer.concat([this.#chunk.subarray(this.#offset), buffer.subarray(0, bytesRead)]);
			this.#offset = 0;
		}

		return true;
	}
}
