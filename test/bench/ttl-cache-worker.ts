/** A process that reads and writes larder's ttl-cache. */
import {MISSING, readCache, writeCache} from '../../src/ports/ttl-cache/index.js';
import {READ_KEYS} from './port-jobs.js';
import {serveCalls} from './serve-calls.js';

/** As ttl_cache.py has it. */
const BODY = {
	id: 12_345,
	name: 'a name',
	tags: Array.from({length: 10}, (_, index) => `tag ${index}`),
	counts: Array.from({length: 20}, (_, index) => index * 1000),
};

serveCalls(directory => directory, {
	write: (directory, call) => writeCache(directory, `key ${call}`, BODY, 'default', '"v1"'),
	read(directory, call) {
		if (readCache(directory, `key ${call % READ_KEYS}`, 3600) === MISSING) throw new Error('it is not there');
	},
});
