/**
 * The tables of a cache. Times are seconds since the epoch. A key is a number
 * or a text as it is, bytes, or (`raw = 0`) what `key-bytes.ts` makes of
 * something else.
 *
 * `size` is that of the file a value has, 0 without one, and its sum is kept by
 * triggers; they cost what has no file nothing. What is `pinned` is not evicted. The names of files that no row has
 * any more are `Trash` until the files are removed, so that nothing is left of
 * whoever dies in between.
 */
const TABLES = `
	CREATE TABLE Settings (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
	INSERT INTO Settings VALUES ('size', 0), ('hits', 0), ('misses', 0), ('fence', 0);
	CREATE TABLE Cache (
		rowid INTEGER PRIMARY KEY,
		key BLOB NOT NULL,
		raw INTEGER NOT NULL,
		store_time REAL NOT NULL,
		expire_time REAL,
		access_time REAL NOT NULL,
		access_count INTEGER NOT NULL DEFAULT 0,
		pinned INTEGER NOT NULL DEFAULT 0,
		tag BLOB,
		size INTEGER NOT NULL DEFAULT 0,
		mode INTEGER NOT NULL,
		filename TEXT,
		value BLOB
	);
	CREATE UNIQUE INDEX Cache_key_raw ON Cache (key, raw);
	CREATE INDEX Cache_expire_time ON Cache (expire_time) WHERE expire_time IS NOT NULL;
	CREATE INDEX Cache_filename ON Cache (filename) WHERE filename IS NOT NULL;
	CREATE TABLE Trash (filename TEXT PRIMARY KEY) WITHOUT ROWID;
	CREATE TRIGGER Cache_file_insert AFTER INSERT ON Cache WHEN NEW.filename IS NOT NULL BEGIN
		UPDATE Settings SET value = value + NEW.size WHERE key = 'size';
	END;
	CREATE TRIGGER Cache_file_update AFTER UPDATE OF size, filename ON Cache
	WHEN OLD.filename IS NOT NULL OR NEW.filename IS NOT NULL BEGIN
		UPDATE Settings SET value = value + NEW.size - OLD.size WHERE key = 'size';
		INSERT OR IGNORE INTO Trash SELECT OLD.filename WHERE OLD.filename IS NOT NULL AND OLD.filename IS NOT NEW.filename;
	END;
	CREATE TRIGGER Cache_file_delete AFTER DELETE ON Cache WHEN OLD.filename IS NOT NULL BEGIN
		UPDATE Settings SET value = value - OLD.size WHERE key = 'size';
		INSERT OR IGNORE INTO Trash VALUES (OLD.filename);
	END;
`;

export const SCHEMA = [TABLES];

/**
 * Tell this connection of the files that its statements take from rows, be it by
 * a set, a delete or a cull: `larder_dropped` is a function of the connection.
 */
export const TEMPORARY_TRIGGERS = `
	CREATE TEMP TRIGGER Cache_dropped_update AFTER UPDATE OF filename ON main.Cache
	WHEN OLD.filename IS NOT NULL AND OLD.filename IS NOT NEW.filename BEGIN
		SELECT larder_dropped(OLD.filename);
	END;
	CREATE TEMP TRIGGER Cache_dropped_delete AFTER DELETE ON main.Cache WHEN OLD.filename IS NOT NULL BEGIN
		SELECT larder_dropped(OLD.filename);
	END;
`;

/** Keep the number of items; where they are not, items are counted. They cost each that is set anew, and each that is removed. */
export const COUNT_TRIGGERS = `
	INSERT INTO Settings SELECT 'count', COUNT(*) FROM Cache;
	CREATE TRIGGER Cache_count_insert AFTER INSERT ON Cache BEGIN
		UPDATE Settings SET value = value + 1 WHERE key = 'count';
	END;
	CREATE TRIGGER Cache_count_delete AFTER DELETE ON Cache BEGIN
		UPDATE Settings SET value = value - 1 WHERE key = 'count';
	END;
`;
