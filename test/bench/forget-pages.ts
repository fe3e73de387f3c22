import {createRequire} from 'node:module';
import type Koffi from 'koffi';

/** `linux/fadvise.h` */
const POSIX_FADV_DONTNEED = 4;

/** The kernel forgets what it has of an open file, so that it asks for it again: posix_fadvise(2), which Node has not. */
export const forgetPages = (() => {
	let advise: ((fd: number, offset: number, length: number, advice: number) => number) | undefined;
	return (fd: number): void => {
		const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
		advise ??= koffi.load(null).func('int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)');
		const failure = advise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (failure !== 0) throw new Error(`posix_fadvise: ${failure}`);
	};
})();
