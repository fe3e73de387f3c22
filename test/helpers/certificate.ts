/** A certificate that nobody vouches for, made for one test file. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

export interface Certificate {
	/** Paths, PEM. */
	readonly certificate: string;
	readonly key: string;
	/** What is in them. */
	readonly pem: {readonly cert: string; readonly key: string};
	remove(): void;
}

const NAMES = 'IP:127.0.0.1,IP:127.0.0.2,DNS:a.test,DNS:proxy.test';

/** Self-signed, for 127.0.0.1, 127.0.0.2, a.test and proxy.test unless told; undefined where there is no openssl. */
export function makeCertificate(names = NAMES): Certificate | undefined {
	const directory = mkdtempSync(path.join(tmpdir(), 'larder-tls-'));
	const certificate = path.join(directory, 'cert.pem');
	const key = path.join(directory, 'key.pem');
	const remove = () => rmSync(directory, {recursive: true, force: true});
	const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=larder-test
		-addext subjectAltName=${names} -keyout ${key} -out ${certificate}`;
	try {
		execFileSync('openssl', args.split(/\s+/), {stdio: 'ignore'});
	} catch {
		remove();
		return undefined;
	}

	return {certificate, key, pem: {cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8')}, remove};
}
