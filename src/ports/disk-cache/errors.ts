/** How a cache fails, and what its check finds. */

/** Another connection had the write lock for longer than the timeout. */
export class Timeout extends Error {
	override readonly name = 'Timeout';

	/** @param removed - items that were removed before, by a call that removes many. */
	constructor(
		readonly removed = 0,
		options?: ErrorOptions,
	) {
		super('another connection has had the database locked for too long', options);
	}
}

/** There is no such key, where one is needed. */
export class KeyError extends Error {
	override readonly name = 'KeyError';
}

/** The directory belongs to something that this cache cannot read. */
export class FormatError extends Error {
	override readonly name = 'FormatError';
}

/** What `check` found. It is returned, not thrown. */
export class CheckWarning extends Error {
	override readonly name: string = 'CheckWarning';
}

/** A file in the cache's directory that no item has. */
export class UnknownFileWarning extends CheckWarning {
	override readonly name = 'UnknownFileWarning';

	constructor(readonly path: string) {
		super(`unknown file: ${path}`);
	}
}

/** A directory in the cache's directory that is none of its own, and empty. */
export class EmptyDirWarning extends CheckWarning {
	override readonly name = 'EmptyDirWarning';

	constructor(readonly path: string) {
		super(`empty directory: ${path}`);
	}
}
