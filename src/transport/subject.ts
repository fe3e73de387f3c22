import path from 'node:path';
import {redact} from '../base/redact.js';
import {urlOf} from '../fs/names.js';

/** What a path or a name is about, as it may be logged. */
export function subjectOf(target: string): string {
	const url = urlOf(path.basename(target));
	return url === undefined ? target : redact(url);
}
