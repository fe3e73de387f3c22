import type {Database} from './open.js';

/** The database was made by a newer version of the program. */
export class NewerSchemaError extends Error {
	override readonly name = 'NewerSchemaError';
}

/**
 * Brings the schema of a database up to date: `steps[n]` leads from version n
 * to n + 1, and `user_version` says which one it is. All of it or nothing is
 * done; where nothing is to be done no lock is taken.
 *
 * @throws NewerSchemaError
 * @see https://www.sqlite.org/pragma.html#pragma_user_version
 */
export function migrate(database: Database, steps: readonly string[]): void {
	if (versionOf(database) === steps.length) return;
	const upgrade = database.transaction(() => {
		const version = versionOf(database);
		if (version > steps.length) {
			throw new NewerSchemaError(`the database has schema ${version}, and ${steps.length} is the newest known`);
		}

		for (const step of steps.slice(version)) database.exec(step);
		database.pragma(`user_version = ${steps.length}`);
	});
	upgrade.immediate();
}

function versionOf(database: Database): number {
	return database.pragma('user_version', {simple: true}) as number;
}
