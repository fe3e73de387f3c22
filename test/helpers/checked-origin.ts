import {checkedBody} from './checked-body.js';
import type {Behaviour, Origin} from './origin.js';

/** The version of what an origin has. */
export const ORIGIN_VERSION = 'origin-0';

/** Has an origin serve a `checkedBody` of `length` bytes, well or badly; its first answers as `first` says. Returns the URL. */
export function serveChecked(
	origin: Origin,
	path: string,
	length: number,
	behaviour: Behaviour = {},
	first: readonly Behaviour[] = [],
): string {
	const content: Behaviour = {
		body: checkedBody(origin.url(path), ORIGIN_VERSION, length),
		headers: {'content-disposition': `attachment; filename="${ORIGIN_VERSION}.bin"`},
	};
	const sequence = first.map(one => ({...content, ...behaviour, ...one}));
	return origin.serve(path, {...content, ...behaviour, sequence});
}
