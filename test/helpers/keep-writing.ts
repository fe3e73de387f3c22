/**
 * A program that stores entries until it is killed: `node keep-writing.js DIRECTORY`.
 * Each body tells its own length and repeats its number; a line is printed per entry.
 */
import {MediaCache} from '../../src/library/media-cache.js';

const cache = new MediaCache(process.argv[2], {maxMemoryItems: 0, maxSizeMb: 4});
for (let count = 0; ; count++) {
	const lengthBytes = (count * 7919) % 300_000;
	const head = `${lengthBytes} bytes of ${count}\n`;
	const body = head + `${count % 10}`.repeat(lengthBytes);
	await cache.put(`https://a.example/${count % 7}`, Buffer.from(body), 'text/plain', 'a.txt');
	process.stdout.write(`${count}\n`);
}
