/** What requests carry and which way they go, as settings and the files that they name have it. */
import {X509Certificate} from 'node:crypto';
import {readFileSync, statSync} from 'node:fs';
import {rootCertificates} from 'node:tls';
import {messageOf, systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import type {Settings} from '../config/options.js';
import {UsageError} from '../config/usage-error.js';
import type {Surroundings} from '../config/xdg.js';
import type {HttpOptions} from '../http/client.js';
import {parseNetrc, type Netrc} from '../http/netrc.js';

type Around = Pick<Surroundings, 'env' | 'proxyFor'>;

/** @throws UsageError for a file that cannot be read, or has no certificate in it. */
export function requestOptionsOf(
	settings: Settings,
	{env, proxyFor}: Around,
	log: Log,
): Pick<HttpOptions, 'hosts' | 'netrc' | 'proxyFor' | 'ca'> {
	const {hosts, netrc, proxy, caFile} = settings;
	const chosen = proxy === 'auto' ? proxyFor : proxy === 'none' ? undefined : () => proxy;
	return {
		hosts,
		netrc: netrc === undefined ? undefined : netrcOf(netrc, log),
		proxyFor: chosen,
		ca: caFile === undefined ? undefined : [...usualCertificates(env), ...certificatesIn(caFile)],
	};
}

const OTHERS = 0o077;

/** What is to be said of the file is said once it is needed: most commands make no request. */
function netrcOf(file: string, log: Log): () => Netrc {
	const text = readNamed(file, 'netrc');
	const isOpen = (statSync(file).mode & OTHERS) !== 0;
	return () => {
		if (isOpen) log.warn('others may read the netrc file', {file, toChangeThat: `chmod 600 ${file}`});
		const netrc = parseNetrc(text);
		for (const line of netrc.problems) log.warn('a line of the netrc file is not understood', {file, line});
		return netrc;
	};
}

/** What Node trusts by itself: whoever names certificates has to name these as well. */
function usualCertificates(env: Around['env']): string[] {
	const extra = env['NODE_EXTRA_CA_CERTS'];
	try {
		return [...rootCertificates, ...(extra ? [readFileSync(extra, 'utf8')] : [])];
	} catch {
		// Node has warned of it when it started.
		return [...rootCertificates];
	}
}

const CERTIFICATE =
	/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

function certificatesIn(file: string): string[] {
	const found = readNamed(file, 'ca-file').match(CERTIFICATE) ?? [];
	if (found.length === 0) throw new UsageError(`ca-file: ${file} has no certificate in it; expected PEM`);
	for (const certificate of found) {
		try {
			new X509Certificate(certificate);
		} catch (error) {
			throw new UsageError(`ca-file: ${file} has a certificate that cannot be read: ${messageOf(error)}`);
		}
	}

	return found;
}

function readNamed(file: string, option: string): string {
	try {
		return readFileSync(file, 'utf8');
	} catch (error) {
		const isMissing = systemCode(error) === 'ENOENT';
		throw new UsageError(`${option}: ${file} ${isMissing ? 'does not exist' : `cannot be read: ${messageOf(error)}`}`);
	}
}
