import type {FreshnessRule} from '../base/host-rule.js';
import {parseDuration} from '../base/units.js';

/**
 * `'forever'`, `'http'`, or a duration with its unit: `'1h'` -> 3,600,000.
 *
 * @throws RangeError for anything else.
 */
export function parseFreshness(text: string): FreshnessRule {
	if (text === 'forever' || text === 'http') return text;
	const durationMs = /[a-z]\s*$/i.test(text) ? parseDuration(text) : 0;
	if (durationMs < 1) throw new RangeError(`"${text}" is not forever, http or a duration such as 1h`);
	return durationMs;
}
