"""A peer's side of a comparison: runs on request, timed."""

import resource
import sys
import time


def serve(run, save=None, check=None):
    """Answers every line K on standard input with one line: the milliseconds of each of K runs, then
    the peak memory of the process in KiB. The line `save FILE` hands FILE and the last answer to
    `save`, and is answered by `saved`; the line `check` is answered by `check` of the last answer.
    """
    answer = None
    for line in sys.stdin:
        if save and line.startswith("save "):
            save(line.split(maxsplit=1)[1].strip(), answer)
            print("saved", flush=True)
            continue
        if check and line.strip() == "check":
            print(check(answer), flush=True)
            continue
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            answer = run()
            times.append((time.perf_counter() - start) * 1e3)
        print(*(f"{t:.4f}" for t in times), peak_kib(), flush=True)


def peak_kib():
    """Of this program alone: `ru_maxrss` begins with what the process that started it had."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
