/** What is asked for. */
export class Wanted {
	/** As a Request has it, with its fragment. */
	readonly url: string;
	readonly method: string;
	readonly headers: Headers;
	/** Undefined where nobody can give up. */
	readonly signal: AbortSignal | undefined;
	#request: Request | undefined;

	/** @throws TypeError as `new Request` does. */
	constructor(input: string | URL | Request, init: RequestInit) {
		const url = plainUrl(input, init);
		if (url === undefined) {
			this.#request = new Request(input, init);
			({url: this.url, method: this.method, headers: this.headers, signal: this.signal} = this.#request);
		} else [this.url, this.method, this.headers] = [url, 'GET', NO_HEADERS];
	}

	/** Made when it is needed: to a hit of a plain URL a Request with its signal would add a tenth. */
	get request(): Request {
		return (this.#request ??= new Request(this.url));
	}

	get redirect(): Request['redirect'] {
		return this.#request?.redirect ?? 'follow';
	}

	/** Undefined where there is none. */
	async body(): Promise<Uint8Array | undefined> {
		const isThere = this.#request !== undefined && this.#request.body !== null;
		return isThere ? new Uint8Array(await this.request.clone().arrayBuffer()) : undefined;
	}
}

const NO_HEADERS = new Headers();

/** Undefined where there is more to a request than its URL, or something wrong with that, which a Request tells. */
function plainUrl(input: string | URL | Request, init: RequestInit): string | undefined {
	if (input instanceof Request || Object.keys(init).length > 0) return undefined;
	try {
		const {username, password, href} = new URL(input);
		return username === '' && password === '' ? href : undefined;
	} catch {
		return undefined;
	}
}
