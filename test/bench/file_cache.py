"""A process with a cache that does what the original FileCache does for read and write.

Re-made for the benchmark after what is known of the original: a response is pickled whole into
`<directory>/<key>`, written in its place. Its files go through aiofiles, which runs each open, read,
write and close on the default executor, one after another; so they do here, without its wrappers.
"""

import asyncio
import pickle
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from serve_calls import serve_calls

READ_KEYS, RESPONSE_BYTES = 1000, 10 * 1024


@dataclass
class CachedResponse:
    method: str
    reason: str
    status: int
    url: str
    version: str
    body: bytes
    headers: dict
    raw_headers: tuple
    cookies: dict = field(default_factory=dict)
    created_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    last_used: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    encoding: str = "utf-8"
    expires: datetime | None = None
    history: tuple = ()


class FileCache:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        headers = {"content-type": "image/gif", "cache-control": "max-age=60", "etag": '"v1"', "server": "a server"}
        raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
        body = b"larder".ljust(RESPONSE_BYTES, b"r")
        self.response = CachedResponse("GET", "OK", 200, "https://a.example/a.gif", "1.1", body, headers, raw)

    async def read(self, key):
        return pickle.loads(await in_file(self.directory / key, "rb", lambda file: file.read()))

    async def write(self, key, value):
        data = pickle.dumps(value)
        await in_file(self.directory / key, "wb", lambda file: file.write(data))


async def in_file(path, mode, work):
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(None, open, path, mode)
    try:
        return await loop.run_in_executor(None, work, file)
    finally:
        await loop.run_in_executor(None, file.close)


async def read(cache, call):
    response = await cache.read(f"key{call % READ_KEYS}")
    if len(response.body) != RESPONSE_BYTES:
        raise ValueError(f"{len(response.body)} bytes")


async def write(cache, call):
    await cache.write(f"key{call}", cache.response)


serve_calls(FileCache, {"read": read, "write": write})
