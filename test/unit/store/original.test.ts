/** The format is the original's: what one writes, the other reads. */
import {readFileSync} from 'node:fs';
import test from 'ava';
import {get, openMediaCache, openStore, put, temporaryDirectory} from '../../helpers/cache.js';
import {basePath, putLikeOriginal, scanLikeOriginal} from '../../helpers/original.js';
import {run} from '../../helpers/run.js';

const URLS = ['https://a.example/x.gif', 'https://a.example/ü?q=1&r=2#f', 'https://a.example/😀', ''] as const;

/** `_scan_disk` and `_read_disk`, as the original has them, without its classes. */
const PYTHON_SCAN = `
import hashlib, json, sys
from pathlib import Path
directory, entries = Path(sys.argv[1]), []
for meta_path in sorted(directory.glob("*.json")):
    meta = json.loads(meta_path.read_text(encoding="utf-8"))
    dat_path = directory / f"{meta_path.stem}.dat"
    if not dat_path.exists():
        raise SystemExit("orphan")
    assert hashlib.sha256(meta["url"].encode()).hexdigest() == meta_path.stem
    assert isinstance(meta["ts"], (int, float)) and isinstance(meta["size"], int)
    size = meta.get("size", 0) or dat_path.stat().st_size
    entries.append([meta["url"], meta.get("mimetype"), meta.get("filename"), size, dat_path.read_bytes().decode()])
print(json.dumps(sorted(entries)))
`;

/** `_write_disk`. */
const PYTHON_PUT = `
import hashlib, json, sys, time
from pathlib import Path
directory = Path(sys.argv[1])
for url in json.loads(sys.argv[2]):
    key, data = hashlib.sha256(url.encode()).hexdigest(), ("body of " + url).encode()
    (directory / f"{key}.dat").write_bytes(data)
    meta = {"url": url, "mimetype": "image/gif", "filename": "ü.gif", "size": len(data), "ts": time.time()}
    (directory / f"{key}.json").write_text(json.dumps(meta, indent=2), encoding="utf-8")
`;

test('Python reads what larder writes', async t => {
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory);
	for (const url of URLS) await cache.put(url, Buffer.from(`body of ${url}`), 'image/gif', 'ü😀.gif');
	const {code, stdout, stderr} = await run('python3', ['-c', PYTHON_SCAN, directory]);
	t.is(code, 0, stderr);
	const expected = URLS.map(url => [
		url,
		'image/gif',
		'ü😀.gif',
		Buffer.byteLength(`body of ${url}`),
		`body of ${url}`,
	]);
	const sorted = (rows: unknown) => (rows as string[][]).sort(([a = ''], [b = '']) => Number(a > b) - Number(a < b));
	t.deepEqual(sorted(JSON.parse(stdout)), sorted(expected));
});

test('larder reads what Python writes', async t => {
	const directory = temporaryDirectory(t);
	const {code, stderr} = await run('python3', ['-c', PYTHON_PUT, directory, JSON.stringify(URLS)]);
	t.is(code, 0, stderr);
	const cache = openMediaCache(t, directory);
	await cache.ensureLoaded();
	t.is(cache.stats().entries, URLS.length);
	for (const url of URLS) {
		const media = await cache.get(url);
		t.deepEqual([String(media?.data), media?.mimetype, media?.filename], [`body of ${url}`, 'image/gif', 'ü.gif']);
	}
});

test("the helper that stands for the original writes, byte for byte, what Python's json does", async t => {
	const directory = temporaryDirectory(t);
	const fields = {
		url: 'https://a.example/ü😀',
		mimetype: 'image/gif',
		filename: 'ü"\\.gif',
		size: 4,
		ts: 1_790_000_000.25,
	};
	putLikeOriginal(directory, fields.url, 'GIF8', fields);
	const program = 'import json, sys; sys.stdout.write(json.dumps(json.loads(sys.argv[1]), indent=2))';
	const {stdout} = await run('python3', ['-c', program, JSON.stringify(fields)]);
	t.is(readFileSync(`${basePath(directory, fields.url)}.json`, 'utf8'), stdout);
});

test('both ways round in one directory: the last to write a URL is read by the other', async t => {
	const [directory, url] = [temporaryDirectory(t), URLS[0]];
	const store = openStore(t, {directory});
	await put(store, url, 'ours');
	t.is(String(scanLikeOriginal(directory).get(url)?.data), 'ours');
	putLikeOriginal(directory, url, 'theirs, which is longer');
	t.is(await get(store, url), 'theirs, which is longer');
	await put(store, url, 'ours again');
	t.is(String(scanLikeOriginal(directory).get(url)?.data), 'ours again');
});

test('an entry is named, and its sidecar laid out, as the original does it', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	await put(store, 'https://a.example/x.gif', 'GIF8');
	const text = readFileSync(`${basePath(directory, 'https://a.example/x.gif')}.json`, 'utf8');
	t.deepEqual(Object.keys(JSON.parse(text) as object).slice(0, 5), ['url', 'mimetype', 'filename', 'size', 'ts']);
	t.true(text.startsWith('{\n  "url": "https://a.example/x.gif",\n'));
});
