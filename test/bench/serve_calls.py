"""The half of a worker's conversation that is in the worker: jobs and answers are those of port-jobs.ts."""

import asyncio
import json
import resource
import sys
import time


def serve_calls(open_cache, calls):
    """`calls` are functions of what is open and of the number of the call; those that are coroutines are awaited."""
    opened = None
    # One loop for all jobs: the threads of its executor live as long.
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            job = json.loads(line)
            before, since = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            try:
                if job["kind"] == "open":
                    opened = open_cache(job["directory"])
                else:
                    runner.run(call_all(calls[job["kind"]], opened, job["calls"]))
            except Exception as error:
                print(json.dumps({"failed": repr(error)}), flush=True)
                continue
            seconds, after = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_SELF)
            cpu = {"user": after.ru_utime - before.ru_utime, "system": after.ru_stime - before.ru_stime}
            done = {"seconds": seconds, "cpu": cpu, "bytes": 0, "peakRssBytes": after.ru_maxrss * 1024}
            print(json.dumps({"done": done}), flush=True)


async def call_all(operation, opened, count):
    if asyncio.iscoroutinefunction(operation):
        for call in range(count):
            await operation(opened, call)
    else:
        for call in range(count):
            operation(opened, call)
