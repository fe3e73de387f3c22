/** An origin that answers each request with what the step that is being done has for it. */
import type {IncomingMessage, ServerResponse} from 'node:http';
import type {Clock} from '../../../../src/base/clock.js';
import {Origin} from '../../../helpers/origin.js';
import type {Carried, Expectation, Field, Step} from './case.js';

/** What is done now. */
export interface Scene {
	readonly step: Step;
	/** What has to be seen of it, which decides on 304. */
	readonly expect: Expectation;
	readonly body: string;
}

export class ScriptedOrigin {
	#scene: Scene | undefined;

	private constructor(
		private readonly origin: Origin,
		private readonly clock: Clock,
	) {}

	static async start(clock: Clock): Promise<ScriptedOrigin> {
		return new ScriptedOrigin(await Origin.start(), clock);
	}

	/** A URL for the case of this id; it is answered as `play` says, whatever its query. */
	serve(id: string): string {
		return this.origin.serve(`/${encodeURIComponent(id)}`, {handle: (...exchange) => this.#answer(...exchange)});
	}

	play(scene: Scene): void {
		this.#scene = scene;
	}

	get host(): string {
		return this.origin.host;
	}

	/** Every request so far, of all cases. */
	get requests() {
		return this.origin.requests;
	}

	close(): Promise<void> {
		return this.origin.close();
	}

	#answer(request: IncomingMessage, response: ServerResponse): void {
		if (this.#scene === undefined) throw new Error(`${request.url} was asked for before anything was played`);
		const {step, expect, body} = this.#scene;
		if (step.closes) {
			request.socket.destroy();
			return;
		}

		response.sendDate = false;
		if (step.interim === 103) response.writeEarlyHints({link: '</styles.css>; rel=preload; as=style'});
		const unchanged = carries(request, validatorsOf(expect));
		const status = unchanged ? 304 : (step.status ?? 200);
		const content = unchanged || status === 204 ? [] : contentHeaders(body);
		response.writeHead(status, [...content, ...this.#fields(step.headers ?? [])]);
		response.end(content.length === 0 ? undefined : body);
	}

	/** As they go over the wire: name, value, name, value. */
	#fields(headers: readonly Field[]): string[] {
		const dated: readonly Field[] = headers.some(([name]) => name === 'Date') ? headers : [['Date', 0], ...headers];
		return dated.flatMap(([name, value]) => [name, typeof value === 'number' ? this.#date(value) : value]);
	}

	#date(seconds: number): string {
		return new Date(this.clock.now() + seconds * 1000).toUTCString();
	}
}

function contentHeaders(body: string): string[] {
	return ['Content-Type', 'text/plain', 'Content-Length', String(Buffer.byteLength(body))];
}

function validatorsOf(expect: Expectation): Carried | undefined {
	return typeof expect === 'object' && 'validated' in expect ? expect.validated : undefined;
}

/** Whether a request has one of these validators; the suite's server is content with one, too. */
function carries({headers}: IncomingMessage, validators: Carried | undefined): boolean {
	if (validators === undefined) return false;
	return ['if-none-match', 'if-modified-since'].some(
		name => validators[name] !== undefined && headers[name] === validators[name],
	);
}
