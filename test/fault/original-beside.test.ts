/** The Python original at work in the store's directory at the same time, as another process. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import type {ExecutionContext} from 'ava';
import {allocatedOnDisk, MIB, openUrlCache, quarantined, temporaryDirectory} from '../helpers/cache.js';
import {checkedMedia} from '../helpers/checked-body.js';
import {serveChecked} from '../helpers/checked-origin.js';
import {ChurningProcesses, logSeed} from '../helpers/churning-processes.js';
import {startOrigin, testWith} from '../helpers/drive.js';
import {assertSound, storedVersion} from '../helpers/sound-store.js';
import {until} from '../helpers/until.js';

/**
 * What the original does, in its order: a scan once, an index of its own,
 * writes in place (the bytes, then the sidecar), what the index has is not
 * stored again, and what is over its own budget is removed, of the entries it
 * knows. Bytes are read from the disk each time. For each line of its input it
 * does one thing at random; it prints what it removes, and bytes that are no
 * version of their URL.
 */
const ORIGINAL = `
import hashlib, json, random, sys, time
from collections import OrderedDict
from pathlib import Path

plan = json.loads(sys.argv[1])
directory, max_bytes, urls, lengths = Path(plan['directory']), plan['maxBytes'], plan['urls'], plan['lengths']
chance = random.Random(plan['seed'])
index = OrderedDict()
total_bytes = 0
count = 0

def say(what, *words):
    print(what, *words, flush=True)

def paths(url):
    key = hashlib.sha256(url.encode()).hexdigest()
    return directory / f'{key}.dat', directory / f'{key}.json'

def scan():
    global total_bytes
    found = []
    for meta_path in sorted(directory.glob('*.json')):
        try:
            meta = json.loads(meta_path.read_text(encoding='utf-8'))
        except (OSError, json.JSONDecodeError):
            continue
        dat_path = directory / f'{meta_path.stem}.dat'
        if not dat_path.exists():
            meta_path.unlink(missing_ok=True)
            continue
        found.append((meta.get('ts', 0.0), meta['url'], meta.get('size', 0) or dat_path.stat().st_size))
    for _, url, size in sorted(found):
        index[url] = size
        total_bytes += size

def evict(url):
    global total_bytes
    total_bytes -= index.pop(url)
    say('evicted', url)
    for path in paths(url):
        path.unlink(missing_ok=True)

def get(url):
    if url not in index:
        return None
    index.move_to_end(url)
    dat_path, _ = paths(url)
    if dat_path.exists():
        try:
            return dat_path.read_bytes()
        except OSError:
            pass
    evict(url)
    return None

def put(url, data, filename):
    global total_bytes
    if url in index:
        index.move_to_end(url)
        return
    dat_path, meta_path = paths(url)
    meta = {'url': url, 'mimetype': 'text/plain', 'filename': filename, 'size': len(data), 'ts': time.time()}
    with open(dat_path, 'wb') as file:
        file.write(data)
    with open(meta_path, 'w', encoding='utf-8') as file:
        file.write(json.dumps(meta, indent=2))
    index[url] = len(data)
    total_bytes += len(data)
    while total_bytes > max_bytes and index:
        evict(next(iter(index)))

def checked_body(url, version, length):
    filler = (version + ' ') * (length // (len(version) + 1) + 1)
    rest = (url + '\\n' + filler)[:max(length, len(url) + 1)].encode()
    return f'{len(rest)} {version} {hashlib.sha256(rest).hexdigest()}\\n'.encode() + rest

def check(url, data):
    head, _, rest = data.partition(b'\\n')
    words = head.split(b' ')
    whole = len(words) == 3 and words[0] == b'%d' % len(rest) and words[2] == hashlib.sha256(rest).hexdigest().encode()
    if not whole or not rest.startswith(url.encode() + b'\\n'):
        say('wrong', url, len(data), head[:100])

def get_or_download(url):
    global count
    data = get(url)
    if data is not None:
        check(url, data)
        return
    count += 1
    version = f'original-{count}'
    put(url, checked_body(url, version, chance.choice(lengths) + 4 * (count % 1000) + 3), f'{version}.bin')

scan()
say('ready')
for _ in sys.stdin:
    known = list(index)
    if known and chance.random() < 0.3:
        get_or_download(chance.choice(known))
    else:
        get_or_download(chance.choice(urls))
say('done', count)
`;

interface Plan {
	readonly directory: string;
	readonly maxBytes: number;
	readonly seed: number;
	/** What it gets, downloads and stores; beside that it gets what it found at its start. */
	readonly urls: readonly string[];
	readonly lengths: readonly number[];
}

/** The original as a process, which is gone with the test. */
class OriginalProcess {
	readonly lines: string[] = [];
	readonly #child;
	readonly #exited: Promise<unknown[]>;

	constructor(t: ExecutionContext, plan: Plan) {
		this.#child = spawn('python3', ['-c', ORIGINAL, JSON.stringify(plan)], {stdio: ['pipe', 'pipe', 'inherit']});
		this.#exited = once(this.#child, 'exit');
		this.#child.stdin.on('error', () => undefined);
		createInterface({input: this.#child.stdout}).on('line', line => this.lines.push(line));
		t.teardown(async () => {
			this.#child.kill('SIGKILL');
			await this.#exited;
		});
	}

	/** Its words of one kind, such as `evicted`. */
	said(what: string): string[] {
		return this.lines.filter(line => line.startsWith(`${what} `)).map(line => line.slice(what.length + 1));
	}

	async ready(): Promise<void> {
		await until('the original has looked at the directory', () => this.lines.includes('ready'));
	}

	step(): void {
		this.#child.stdin.write('\n');
	}

	/** Resolves with what it has stored when it is done with its steps. */
	async end(): Promise<number> {
		this.#child.stdin.end();
		await this.#exited;
		await until('it has said so', () => this.said('done').length > 0);
		return Number(this.said('done')[0]);
	}
}

const LENGTHS = [200, 5000, 100_000, 300_000];
const LIMIT_BYTES = 64 * MIB;
/** Less than what the original finds, so that it evicts from the beginning. */
const ITS_LIMIT_BYTES = 2 * MIB;
const FOUND = 20;
const SHARED = 10;
const OPERATIONS = 300;

testWith(
	['python3'],
	'beside the original two processes serve nothing wrong, lose nothing that was not evicted, and count what is there',
	async t => {
		const [directory, seed, origin] = [temporaryDirectory(t), logSeed(t), await startOrigin(t)];
		const found = Array.from({length: FOUND}, (_, index) => `http://found.example/${index}`);
		await storeAll(t, directory, found);
		const shared = Array.from({length: SHARED}, (_, index) => serveChecked(origin, `/${index}`, 20_000 * index));
		const original = new OriginalProcess(t, {
			...{directory, seed, maxBytes: ITS_LIMIT_BYTES, urls: shared, lengths: LENGTHS},
		});
		await original.ready();
		const processes = new ChurningProcesses(t, {
			...{directory, seed, shared, processes: 2, limitBytes: LIMIT_BYTES, lengths: LENGTHS},
			// Who reads what the original writes over is told so, or, where another process was fetching it, that it has
			// other bytes by now.
			...{operations: OPERATIONS, others: found, tolerated: ['corrupt-entry', 'other bytes than when it was begun']},
		});
		processes.onOperation = () => original.step();
		await processes.run();
		const count = await original.end();
		t.log(`the original stored ${count}, evicted ${original.said('evicted').length}; ${processes.reads} reads`);
		t.deepEqual(processes.wrong, []);
		t.deepEqual(original.said('wrong'), []);
		t.true(processes.reads > 100 && count > 20);

		t.deepEqual(await processes.close(), [0, 0]);
		t.deepEqual(quarantined(directory), [], 'what is a minute old at most is nobody’s to judge');
		const evicted = new Set(original.said('evicted'));
		await assertSound(t, directory, LIMIT_BYTES, async cache => {
			for (const [url, version] of processes.stored) {
				t.regex((await storedVersion(cache, url)) ?? 'lost', new RegExp(`^p\\d-${version}$`), url);
			}

			for (const url of found) {
				t.is(await storedVersion(cache, url), evicted.has(url) ? undefined : 'found-1', url);
			}

			// Of what all have written some may be damaged. It can be stored again.
			for (const url of shared) {
				await cache.store(url, checkedMedia(url, 'healed-1', 1000), {durable: false});
				t.is(await storedVersion(cache, url), 'healed-1');
			}
		});
	},
);

async function storeAll(t: ExecutionContext, directory: string, urls: readonly string[]): Promise<void> {
	const cache = openUrlCache(t, {directory});
	await cache.load();
	for (const url of urls) await cache.store(url, checkedMedia(url, 'found-1', 200_000), {durable: false});
	await cache.close();
	t.true(allocatedOnDisk(directory) > ITS_LIMIT_BYTES);
}
