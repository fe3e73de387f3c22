import {createRequire} from 'node:module';
import type Koffi from 'koffi';

/** `linux/fadvise.h` */
const POSIX_FADV_DONTNEED = 4;

/** The kernel forgets what it has of an open file, so that it asks for it again: posix_fadvise(2), which Node has not. */
export function forgetPages(fd: number): void {
	const failure = (advise ??= load())(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (failure !== 0) throw new Error(`posix_fadvise: ${failure}`);
}

type Advise = (fd: number, offset: number, length: number, advice: number) => number;

let advise: Advise | undefined;

function load(): Advise {
	const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
	return koffi.load(null).func('int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)');
}
