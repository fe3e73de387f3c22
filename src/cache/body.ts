import {identityOf, type PartialFacts} from '../store/partial-facts.js';
import type {OriginFacts} from '../store/sidecar.js';
import type {BodyVersion, CachingFacts, Source, SourceBody} from './source.js';

/** What is known of a body that is fetched, from what its source said with the first byte of it. */
export class Body {
	private constructor(
		private readonly said: Omit<SourceBody, 'body' | 'discard'>,
		/** By what parts are known to be of it; undefined where they could be of another one, or cannot be had. */
		readonly version: (BodyVersion & {readonly lengthBytes: number}) | undefined,
		/** Its source has said, or shown, that parts can be had; else only trying will tell. */
		readonly hasParts: boolean,
	) {}

	/** One whose source has just answered. */
	static begun(
		{url, lengthBytes, mimetype, filename, etag, lastModifiedMs, caching, ...answer}: SourceBody,
		source: Source,
	): Body {
		const said = {url, lengthBytes, mimetype, filename, etag, lastModifiedMs, caching};
		const {hasStrongValidator, acceptsRanges} = answer;
		const mayHaveParts = source.fetchRange !== undefined && acceptsRanges !== false && hasStrongValidator === true;
		if (!mayHaveParts || lengthBytes === undefined) return new Body(said, undefined, false);
		const version = {url, lengthBytes, etag, lastModifiedMs, hasStrongValidator};
		return new Body(said, version, acceptsRanges === true);
	}

	/** One of which an earlier download has left something: it had parts. */
	static resumed({sourceUrl: url, lengthBytes, mimetype, filename, etag, lastModifiedMs, http}: PartialFacts): Body {
		const said = {url, lengthBytes, mimetype, filename, etag, lastModifiedMs, caching: http};
		return new Body(said, {url, lengthBytes, etag, lastModifiedMs, hasStrongValidator: true}, true);
	}

	/** Undefined where only the end tells it. */
	get lengthBytes(): number | undefined {
		return this.said.lengthBytes;
	}

	/** As declared. */
	get mimetype(): string | undefined {
		return this.said.mimetype;
	}

	get filename(): string {
		return this.said.filename;
	}

	get lastModifiedMs(): number | undefined {
		return this.said.lastModifiedMs;
	}

	/** What its source said of how long it may be used. */
	get caching(): CachingFacts | undefined {
		return this.said.caching;
	}

	/** Equal for parts of the same version; undefined where only the bytes tell. */
	get identity(): string | undefined {
		if (this.version === undefined) return undefined;
		const {lengthBytes, etag, lastModifiedMs} = this.version;
		return identityOf({lengthBytes, etag, lastModifiedMs});
	}

	/** For the sidecar. */
	originFacts(lengthBytes: number): OriginFacts {
		const {etag, lastModifiedMs} = this.said;
		return {
			length: lengthBytes,
			...(etag !== undefined && {etag}),
			...(lastModifiedMs !== undefined && {lastModified: lastModifiedMs / 1000}),
		};
	}

	/** For who goes on with it later; undefined where nobody can. */
	partialFacts(url: string, modifiedAtMs: number): PartialFacts | undefined {
		const {version} = this;
		const {mimetype, filename, caching: http} = this.said;
		if (version === undefined) return undefined;
		const {url: sourceUrl, lengthBytes, etag, lastModifiedMs} = version;
		return {url, sourceUrl, lengthBytes, etag, lastModifiedMs, mimetype, filename, modifiedAtMs, http};
	}
}
