/** What an HTTP answer said of how long it may be used, as a sidecar has it. */
export interface HttpFacts {
	/** When the answer came, or was last said to be still right; epoch seconds. */
	readonly received: number;
	/** By lower-case name. */
	readonly headers: Readonly<Record<string, string>>;
	/** Digests of what the request had in the headers that `Vary` names. */
	readonly varied: Readonly<Record<string, string>>;
}

/** Undefined for what is none, whoever wrote it. */
export function parseHttpFacts(value: unknown): HttpFacts | undefined {
	const {received, headers, varied} = Object(value) as Partial<Record<keyof HttpFacts, unknown>>;
	if (typeof received !== 'number' || !isRecord(headers) || !isRecord(varied)) return undefined;
	return {received, headers, varied};
}

function isRecord(value: unknown): value is Record<string, string> {
	return Object(value) === value && Object.values(value as object).every(item => typeof item === 'string');
}
