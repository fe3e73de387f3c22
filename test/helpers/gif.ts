/** GIFs written by hand, so that a test knows every byte. */

export interface Frame {
	/** In 1/100 s; undefined: no graphic control extension. */
	readonly delay?: number;
	/** An index into `COLORS`: the frame's only colour. */
	readonly color?: number;
	/** Shows what is below, which in the first frame is nothing. */
	readonly transparent?: boolean;
}

export interface GifShape {
	readonly width: number;
	readonly height: number;
	readonly frames: readonly Frame[];
	/** Bytes in the place of the trailer. */
	readonly end?: Uint8Array;
}

/** Red, green, blue, black. */
const COLORS = [0xff, 0, 0, 0, 0xff, 0, 0, 0, 0xff, 0, 0, 0];
const CODE_SIZE = 2;

export function gif({width, height, frames, end = Uint8Array.of(0x3b)}: GifShape): Buffer {
	const header = Buffer.from('GIF89a\0\0\0\0\x91\0\0', 'latin1');
	header.writeUInt16LE(width, 6);
	header.writeUInt16LE(height, 8);
	return Buffer.concat([header, Buffer.from(COLORS), ...frames.map(frame => image(width, height, frame)), end]);
}

function image(width: number, height: number, {delay, color = 0, transparent = false}: Frame): Buffer {
	const control = Buffer.from([0x21, 0xf9, 4, transparent ? 1 : 0, 0, 0, color, 0]);
	if (delay !== undefined) control.writeUInt16LE(delay, 4);
	const descriptor = Buffer.from([0x2c, 0, 0, 0, 0, 0, 0, 0, 0, 0, CODE_SIZE]);
	descriptor.writeUInt16LE(width, 5);
	descriptor.writeUInt16LE(height, 7);
	return Buffer.concat([...(delay === undefined ? [] : [control]), descriptor, pixels(width * height, color)]);
}

/** LZW without compression: codes of 3 bits, with a clear code before every second pixel so that they stay so. */
function pixels(count: number, color: number): Buffer {
	const [clear, stop] = [1 << CODE_SIZE, (1 << CODE_SIZE) + 1];
	const codes: number[] = [];
	for (let pixel = 0; pixel < count; pixel++) codes.push(...(pixel % 2 === 0 ? [clear, color] : [color]));
	const data = Buffer.alloc(Math.ceil(((codes.length + 1) * 3) / 8));
	for (const [index, code] of [...codes, stop].entries()) {
		for (let bit = 0; bit < 3; bit++) {
			const at = index * 3 + bit;
			if (code & (1 << bit)) data.writeUInt8(data.readUInt8(at >> 3) | (1 << (at & 7)), at >> 3);
		}
	}

	const blocks: Buffer[] = [];
	for (let at = 0; at < data.length; at += 255) {
		const block = data.subarray(at, at + 255);
		blocks.push(Buffer.from([block.length]), block);
	}

	return Buffer.concat([...blocks, Buffer.from([0])]);
}
