import type {DriveContext} from '../drive-context.js';
import type {OpenFile} from '../open-files.js';

/** `downloads.json`: the running downloads, the oldest first. */
export function renderDownloads({cache, openFiles}: DriveContext): string {
	const downloads = cache.downloads().map(({key, ...status}) => ({
		...status,
		readers: status.readers + openFiles.all(key).reduce((sum, file) => sum + sharers(file), 0),
	}));
	return JSON.stringify(downloads, undefined, 2) + '\n';
}

/** To the cache all handles of a file are one reader: these are the others. */
function sharers({readers}: OpenFile): number {
	return Math.max(readers - 1, 0);
}
