/** Leaves a host in peace that is not there, so that not every request has to wait until that shows. */
import type {Clock} from '../base/clock.js';
import {CacheError, hasCode, type ErrorCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {isAbsence} from './connection-error.js';

/** Attempts in a row without an answer, after which a host is not asked for a while. */
export const MAX_ABSENCES = 5;
/** How long it is not asked; twice as long after each probe that fails, up to the second number. */
export const FIRST_OPEN_MS = 10_000;
export const LONGEST_OPEN_MS = 120_000;
/** Who was asked longest ago is forgotten first. */
const MAX_HOSTS = 1_000;

/** A request that was not made, because its host has not answered others. Asking again at once is of no use. */
export class CircuitOpenError extends CacheError {
	/** @param notAskedForMs - until the next request may be made; 0 while one is under way. */
	constructor(
		code: ErrorCode,
		message: string,
		readonly notAskedForMs: number,
		options?: ErrorOptions,
	) {
		super(code, message, options);
	}
}

/**
 * What is known of a host since its last answer, which ends it: a failure of a
 * request that began before then is told to a circuit that no longer counts.
 */
interface Circuit {
	/** Attempts without an answer. */
	failures: number;
	/** Undefined while it is closed: requests are made. */
	open: Open | undefined;
}

interface Open {
	/** Milliseconds since the epoch. */
	readonly sinceMs: number;
	readonly forMs: number;
	/** What the last attempt failed with. */
	readonly reason: CacheError;
	/** Half-open: one request is made to see whether the host is back. */
	isProbed: boolean;
}

/**
 * One circuit for each host and port. Closed, it lets every request through;
 * after 5 in a row without an answer it is open, and requests fail at once;
 * after 10 s one is let through as a probe. Any answer closes it, whatever its
 * status; a probe that fails opens it again, for twice as long, 2 minutes at most.
 */
export class CircuitBreaker {
	/** Of hosts that have not answered since they were asked, who was asked last at the end. */
	readonly #circuits = new Map<string, Circuit>();

	constructor(
		private readonly clock: Clock,
		private readonly log: Log,
	) {}

	/**
	 * Runs `ask`, one request to the host of `url`, if that may be asked now.
	 *
	 * @param ask - resolves with an answer, whichever; what it throws is thrown
	 *   on, but as no `TransientError` once the circuit is open.
	 * @throws CircuitOpenError with the code of the last failure.
	 */
	async run<T>(url: URL, ask: () => Promise<T>): Promise<T> {
		const host = hostOf(url);
		const circuit = this.#circuitOf(host);
		const probed = this.#admit(host, circuit);
		try {
			const answer = await ask();
			this.#close(host);
			return answer;
		} catch (error) {
			if (isAbsence(error)) {
				this.#fail(host, circuit, error, probed);
				throw this.#circuits.get(host)?.open ? withoutRetry(error) : error;
			}

			// No HTTP, but something has answered.
			if (hasCode(error, 'origin-failed')) this.#close(host);
			throw error;
		} finally {
			if (probed) probed.isProbed = false;
		}
	}

	#circuitOf(host: string): Circuit {
		const circuit = this.#circuits.get(host) ?? {failures: 0, open: undefined};
		this.#circuits.delete(host);
		this.#circuits.set(host, circuit);
		const [longestAgo] = this.#circuits.keys();
		if (this.#circuits.size > MAX_HOSTS && longestAgo !== undefined) this.#circuits.delete(longestAgo);
		return circuit;
	}

	/** What this request is the probe of, if it is one. @throws CircuitOpenError */
	#admit(host: string, {failures, open}: Circuit): Open | undefined {
		if (open === undefined) return undefined;
		const leftMs = this.#leftMs(open);
		if (leftMs === 0 && !open.isProbed) {
			open.isProbed = true;
			return open;
		}

		const {code, message} = open.reason;
		const until = leftMs > 0 ? `not asked again for ${Math.ceil(leftMs / 1000)} s` : 'being asked by another request';
		const sentence = `${host} has not answered ${failures} times; ${until}: ${message}`;
		throw new CircuitOpenError(code, sentence, leftMs, {cause: open.reason});
	}

	/** Where the clock was set back, nobody knows how much time has passed: all of it. */
	#leftMs({sinceMs, forMs}: Open): number {
		const passedMs = this.clock.now() - sinceMs;
		return passedMs < 0 ? 0 : Math.max(0, forMs - passedMs);
	}

	/** Who was on the way when the circuit opened tells nothing new. */
	#fail(host: string, circuit: Circuit, reason: CacheError, probed: Open | undefined): void {
		if (this.#circuits.get(host) !== circuit || circuit.open !== probed) return;
		circuit.failures++;
		if (probed === undefined && circuit.failures < MAX_ABSENCES) return;
		const forMs = probed ? Math.min(2 * probed.forMs, LONGEST_OPEN_MS) : FIRST_OPEN_MS;
		circuit.open = {sinceMs: this.clock.now(), forMs, reason, isProbed: false};
		const fields = {host, failures: circuit.failures, notAskedForMs: forMs, reason: reason.message};
		if (probed) this.log.debug('a host still does not answer', fields);
		else this.log.warn('a host does not answer and is left in peace for a while', fields);
	}

	#close(host: string): void {
		const open = this.#circuits.get(host)?.open;
		this.#circuits.delete(host);
		if (open) this.log.info('a host answers again', {host});
	}
}

/** `https://a.example/x` -> `a.example:443` */
function hostOf({protocol, hostname, port}: URL): string {
	return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

/** The same, for who would ask again. */
function withoutRetry({code, message, cause}: CacheError): CacheError {
	return new CacheError(code, message, {cause});
}
