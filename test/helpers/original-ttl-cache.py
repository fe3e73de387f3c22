"""The file format of the Python original as a program: it reads JSON lines [command, ...] and answers each with a line."""
import hashlib
import json
import os
import sys
import tempfile
import time

MISSING = {"missing": True}


def path_of(base, key, namespace):
    directory = os.path.join(base, namespace)
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, hashlib.sha256(key.encode()).hexdigest())


def load(path):
    with open(path) as file:
        return json.load(file)


def read(base, key, ttl, namespace):
    try:
        entry = load(path_of(base, key, namespace))
    except (OSError, ValueError):
        return MISSING
    return entry.get("body", MISSING) if time.time() - float(entry.get("ts", 0)) < ttl else MISSING


def entry(base, key, namespace):
    try:
        return load(path_of(base, key, namespace))
    except (OSError, ValueError):
        return None


def write(base, key, body, namespace, etag):
    path = path_of(base, key, namespace)
    fields = {"ts": time.time(), "body": body, **({"etag": etag} if etag else {})}
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".tmp")
    with os.fdopen(handle, "w") as file:
        json.dump(fields, file)
    os.replace(temporary, path)


def refresh(base, key, namespace):
    path = path_of(base, key, namespace)
    fields = load(path)
    fields["ts"] = time.time()
    with open(path, "w") as file:
        json.dump(fields, file)


COMMANDS = {"read": read, "entry": entry, "write": write, "refresh": refresh}

for line in sys.stdin:
    command, *arguments = json.loads(line)
    print(json.dumps(COMMANDS[command](*arguments)), flush=True)
