"""A process with the original's disk-cache open: jobs and answers are those of disk-cache-jobs.ts."""

import os
import random

import diskcache

from serve_calls import serve_calls

SMALL, LARGE, MIXED_KEYS, LRU_KEYS = b"\1" * 1024, b"\1" * 65536, 100, 1000


class Caches:
    def __init__(self, directory):
        within = lambda name: os.path.join(directory, name)
        self.cache = diskcache.Cache(within("cache"))
        self.lru = diskcache.Cache(within("lru"), eviction_policy="least-recently-used")
        self.fanout = diskcache.FanoutCache(within("fanout"))
        self.deque = diskcache.Deque(directory=within("deque"))
        self.index = diskcache.Index(within("index"))
        for key in range(LRU_KEYS):
            self.lru.set(f"key {key}", SMALL)


def set_small(caches, call):
    caches.cache.set(f"key {call}", SMALL)


def push_pull(caches, call):
    caches.cache.push(call)
    caches.cache.pull()


def deque(caches, call):
    caches.deque.append(call)
    caches.deque.popleft()


def index(caches, call):
    caches.index[call % 1000] = call
    return caches.index[call % 1000]


def mixed(caches, call):
    key = f"key {random.randrange(MIXED_KEYS)}"
    chance = random.random()
    if chance < 0.9:
        caches.fanout.get(key)
    elif chance < 0.99:
        caches.fanout.set(key, SMALL)
    else:
        caches.fanout.delete(key)


OPERATE = {
    "set": set_small,
    "get": lambda caches, call: caches.cache.get(f"key {call % 10000}"),
    "miss": lambda caches, call: caches.cache.get(f"none {call}"),
    "lru-get": lambda caches, call: caches.lru.get(f"key {call % LRU_KEYS}"),
    "incr": lambda caches, call: caches.cache.incr("number"),
    "delete": lambda caches, call: caches.cache.delete(f"key {call}"),
    "set-large": lambda caches, call: caches.cache.set(f"large {call}", LARGE),
    "push-pull": push_pull,
    "deque": deque,
    "index": index,
    "mixed": mixed,
}

serve_calls(Caches, OPERATE)
