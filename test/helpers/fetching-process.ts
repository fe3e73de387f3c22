/**
 * A program that reads a URL through a cache: `node fetching-process.js DIRECTORY URL`.
 * It says `ready`, `begun` with the first byte, and `read` with the version of
 * the `checkedBody` that it got.
 */
import {versionOf} from './checked-body.js';
import {openSizedCache} from './sized-cache.js';

const [directory = '', url = ''] = process.argv.slice(2);
const cache = openSizedCache(directory, 64 * 1024 * 1024);
await cache.load();
process.stdout.write('ready\n');
const version = await cache.open(url);
const bytes = Buffer.alloc(version.sizeBytes);
await version.read(bytes.subarray(0, 1), 0);
process.stdout.write('begun\n');
await version.read(bytes.subarray(1), 1);
await version.whole();
version.close();
process.stdout.write(`read ${versionOf(bytes, url)}\n`);
await cache.close();
