import {missingFor, transportsFor} from '../transports.js';
import {ok, problem, warning, type Subject, type Verdict} from './verdict.js';

export function checkKoffi(): Verdict {
	const missing = missingFor('kernel');
	return missing === undefined ? ok('it loads, for the transport kernel') : warning(missing);
}

export function checkBinding(): Verdict {
	const missing = missingFor('fuse-native');
	return missing === undefined ? ok('it loads, for the transport fuse-native') : warning(missing);
}

/** Which would be used, and why. */
export function checkTransport({config}: Subject): Verdict {
	const {settings, origins} = config;
	const names = transportsFor(settings.transport, origins.transport);
	const missing = names.map(name => missingFor(name));
	const used = names[missing.indexOf(undefined)];
	if (used === undefined) return problem(`none can be used: ${missing.join('; ')}`);
	if (used !== names[0]) return warning(`${used} is used, because ${missing[0]}`);
	const why = origins.transport === 'default' ? 'which is the default' : `transport is ${settings.transport}`;
	return ok(`${used} is used (${why}${origins.transport === 'default' ? '' : `, ${origins.transport}`})`);
}
