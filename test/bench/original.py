"""A process with a cache that does what the Python original does for put, get and stats.

Re-made, not copied, for the benchmark: jobs and answers are those of jobs.ts
(`CacheJob`). The original's files go through aiofiles, which runs each open,
read, write and close on the default executor, one after another; so they do
here, without its wrappers.
"""

import asyncio
import hashlib
import json
import logging
import resource
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("original")


@dataclass
class Entry:
    url: str
    mimetype: str
    filename: str
    size: int
    key: str
    ts: float
    data: bytes | None = None


class Cache:
    def __init__(self, directory, max_memory):
        self.directory, self.max_memory = Path(directory), max_memory
        self.max_bytes = 100_000 * 1024 * 1024
        self.total_bytes = self.hits = self.misses = 0
        self.index = OrderedDict()
        self.lock = asyncio.Lock()
        self.directory.mkdir(parents=True, exist_ok=True)

    def load(self):
        found = []
        for sidecar in sorted(self.directory.glob("*.json")):
            meta = json.loads(sidecar.read_text(encoding="utf-8"))
            if not self.data_path(sidecar.stem).exists():
                continue
            fields = (meta[name] for name in ("url", "mimetype", "filename", "size"))
            found.append(Entry(*fields, sidecar.stem, meta["ts"]))
        for entry in sorted(found, key=lambda entry: entry.ts):
            self.index[entry.url] = entry
            self.total_bytes += entry.size

    def data_path(self, key):
        return self.directory / f"{key}.dat"

    async def get(self, url):
        async with self.lock:
            entry = self.index.get(url)
            if entry is None:
                return None
            self.index.move_to_end(url)
            entry.ts = time.time()
            if entry.data is None:
                path = self.data_path(entry.key)
                if not path.exists():
                    return None
                entry.data = await in_file(path, "rb", lambda file: file.read())
            self.hits += 1
            log.info("hit: %s (%s, %d bytes)", entry.filename, entry.mimetype, entry.size)
            return entry.data, entry.mimetype, entry.filename

    async def put(self, url, data, mimetype, filename):
        async with self.lock:
            if url in self.index:
                raise ValueError(f"{url} is stored: the original would only touch it")
            key = hashlib.sha256(url.encode()).hexdigest()
            entry = Entry(url, mimetype, filename, len(data), key, time.time(), data)
            meta = {"url": url, "mimetype": mimetype, "filename": filename, "size": entry.size, "ts": entry.ts}
            await in_file(self.data_path(key), "wb", lambda file: file.write(data))
            text = json.dumps(meta, indent=2)
            await in_file(self.directory / f"{key}.json", "w", lambda file: file.write(text), encoding="utf-8")
            self.index[url] = entry
            self.total_bytes += entry.size
            if self.total_bytes > self.max_bytes:
                raise ValueError("nothing is evicted here")
            in_memory = [url for url, entry in self.index.items() if entry.data is not None]
            for oldest in in_memory[: max(0, len(in_memory) - self.max_memory)]:
                self.index[oldest].data = None

    def stats(self):
        asked = self.hits + self.misses
        return {
            "entries": len(self.index),
            "entries_in_memory": sum(1 for entry in self.index.values() if entry.data is not None),
            "total_bytes": self.total_bytes,
            "total_mb": round(self.total_bytes / (1024 * 1024), 2),
            "max_mb": round(self.max_bytes / (1024 * 1024), 2),
            "hits": self.hits,
            "misses": self.misses,
            "hit_rate": round(self.hits / asked, 3) if asked > 0 else 0.0,
        }


async def in_file(path, mode, work, **options):
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(None, lambda: open(path, mode, **options))
    try:
        return await loop.run_in_executor(None, work, file)
    finally:
        await loop.run_in_executor(None, file.close)


async def run(cache, job):
    """Returns the cache, and the bytes that were moved."""
    kind = job["kind"]
    if kind == "open":
        cache = Cache(job["directory"], job["maxMemoryItems"])
        await asyncio.to_thread(cache.load)
        return cache, cache.total_bytes
    if kind == "put":
        body = b"larder".ljust(job["sizeBytes"])
        for url in job["urls"]:
            await cache.put(url, body, "image/jpeg", "a.jpg")
        return cache, len(job["urls"]) * len(body)
    if kind == "get":
        urls, count, moved = job["urls"], len(job["urls"]), 0
        for call in range(job["calls"]):
            data, _, _ = await cache.get(urls[call % count])
            moved += len(data)
        return cache, moved
    for _ in range(job["calls"]):
        found = cache.stats()["entries"]
        if found != job["entries"]:
            raise ValueError(f"there are {found} entries, not {job['entries']}")
    return cache, 0


async def answer(cache, line):
    job = json.loads(line)
    before, since = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    try:
        cache, moved = await run(cache, job)
    except Exception as error:
        print(json.dumps({"failed": repr(error)}), flush=True)
        return cache
    seconds, after = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_SELF)
    cpu = {"user": after.ru_utime - before.ru_utime, "system": after.ru_stime - before.ru_stime}
    done = {"seconds": seconds, "cpu": cpu, "bytes": moved, "peakRssBytes": after.ru_maxrss * 1024}
    print(json.dumps({"done": done}), flush=True)
    return cache


# One loop for all jobs: the threads of its executor live as long.
with asyncio.Runner() as runner:
    opened = None
    for received in sys.stdin:
        opened = runner.run(answer(opened, received))
