"""A process with a cache that does what the Python original does for read_cache and write_cache.

Re-made for the benchmark after the original's documentation, which shows what each function does:
the same calls of the system and of the library, in the same order.
"""

import hashlib
import json
import os
import tempfile
import time

from serve_calls import serve_calls

READ_KEYS = 1000
BODY = {
    "id": 12345,
    "name": "a name",
    "tags": [f"tag {index}" for index in range(10)],
    "counts": [index * 1000 for index in range(20)],
}
MISSING = object()


def path_of(base, key, namespace="default"):
    directory = os.path.join(base, namespace)
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, hashlib.sha256(key.encode()).hexdigest())


def read(base, key, ttl):
    path = path_of(base, key)
    if not os.path.exists(path):
        return MISSING
    with open(path) as file:
        entry = json.load(file)
    return entry.get("body", MISSING) if time.time() - float(entry.get("ts", 0)) < ttl else MISSING


def write(base, key, body, etag):
    path = path_of(base, key)
    entry = {"ts": time.time(), "body": body, "etag": etag}
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".tmp")
    with os.fdopen(descriptor, "w") as file:
        json.dump(entry, file)
    os.replace(temporary, path)


def read_one(base, call):
    if read(base, f"key {call % READ_KEYS}", 3600) is MISSING:
        raise ValueError("it is not there")


serve_calls(
    lambda directory: directory,
    {"write": lambda base, call: write(base, f"key {call}", BODY, '"v1"'), "read": read_one},
)
