"""Runs the methods on host arrays in Transduct and in the Python packages, in turn, and writes the
medians: to the file OUT anew, or each table in place of its last one in the file INTO. Called by
host.sh."""

import argparse
import datetime
import importlib.metadata
import pathlib
import platform
import sys
import tempfile

import host_peer
import host_tasks
import numpy as np
from sides import OURS, ROOT, THREADS, Side, cpu_model, put_section, race, ratio, rustc

PACKAGES = ["numpy", "scipy", "scikit-learn", "POT", "skada", "adapt", "densratio", "cvxopt"]


def compare(task, rounds, folder):
    """The sides that ran, ours first, each with what its answer is worth."""
    host_tasks.make(task, folder)
    data = host_tasks.load(folder)
    binary = ROOT / "target/release/host-tasks"
    peer = pathlib.Path(__file__).with_name("host_peer.py")
    sides = [Side(OURS, [binary, task, str(THREADS), folder], False)]
    for variant in host_peer.VARIANTS[task]:
        sides.append(Side(variant, [sys.executable, peer, task, variant, str(THREADS), folder], True))

    def warm_up(side):
        side.run(1)
        answer = pathlib.Path(folder) / "answer.npy"
        side.ask(f"save {answer}")
        data.setdefault("first", np.load(answer))
        side.quality = host_tasks.quality(task, data, np.load(answer))
        answer.unlink()

    return race(task, sides, warm_up, rounds, 1)


def table(task, sides, rounds):
    ours, *peers = sides
    n, d = host_tasks.SIZES[task]
    lines = [
        f"## {task}, {n:,} + {n:,} rows of {d}",
        "",
        f"`host.py --rounds {rounds} --task {task}` ({datetime.date.today()})",
        "",
        "| side | ms, median (least, most) of rounds | peak memory, MiB | before the work | answer |",
        "|---|---|---|---|---|",
    ]
    for side in sides:
        low, middle, high = side.low_middle_high()
        lines.append(
            f"| {side.name} | {middle:,.1f} ({low:,.1f}, {high:,.1f}) | {side.peak / 1024:.0f} "
            f"| {side.imported / 1024:.0f} | {side.quality} |"
        )
    return lines + [""] + [f"- {ratio(ours, peer)}" for peer in peers] + [""]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--task", choices=host_peer.VARIANTS, action="append")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--into", type=pathlib.Path)
    options = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    lines = [
        "# Methods on host arrays beside the Python packages",
        "",
        f"{datetime.date.today()}, all sides in turn, {THREADS} threads each; each table by its own "
        "command.",
        "",
        f"- {cpu_model()}",
        f"- {rustc()}; Python {platform.python_version()}: {versions}",
        "",
        "Memory is the peak of the whole process; \"before the work\" is what its imports and data "
        "took. The last column measures every side's answer by one function, `quality` in "
        "`host_tasks.py`.",
        "",
    ]
    for task in options.task or host_peer.VARIANTS:
        with tempfile.TemporaryDirectory() as folder:
            section = table(task, compare(task, options.rounds, folder), options.rounds)
        lines += section
        if options.into:
            put_section(options.into, "\n".join(section))
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
