"""Runs the steps of both sides in turn and writes the medians. Called by run.sh."""

import argparse
import datetime
import pathlib
import platform
import statistics
import sys

import dann_step
import torch
from sides import OURS, ROOT, THREADS, Side, cpu_model, race, ratio, rustc


def compare(network, rounds, steps):
    """The sides that ran, ours first."""
    binary = ROOT / "target/release/dann-step"
    peer = pathlib.Path(__file__).with_name("dann_step.py")
    sides = [Side(OURS, [binary, network, str(THREADS)], False)]
    for variant in dann_step.VARIANTS:
        command = [sys.executable, peer, network, variant, str(THREADS)]
        sides.append(Side(f"PyTorch {variant}", command, True))
    return race(network, sides, lambda side: side.run(2 * steps), rounds, steps)


def table(network, sides):
    ours, *peers = sides
    best = min(peers, key=lambda side: statistics.median(side.times))
    lines = [
        f"## DANN step, {network}, 64 + 64",
        "",
        "| side | ms, median (least, most) of rounds | peak memory, MiB | of which import |",
        "|---|---|---|---|",
    ]
    for side in sides:
        low, middle, high = side.low_middle_high()
        lines.append(
            f"| {side.name} | {middle:.2f} ({low:.2f}, {high:.2f}) "
            f"| {side.peak / 1024:.0f} | {side.imported / 1024:.0f} |"
        )
    lines += ["", ratio(ours, best), ""]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20, help="steps a round")
    parser.add_argument("--network", choices=dann_step.NETWORKS, action="append")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    lines = [
        "# Training steps beside PyTorch's",
        "",
        f"`compare.py {' '.join(sys.argv[1:])}` ({datetime.date.today()}): {options.rounds} rounds "
        f"of {options.steps} steps, all sides in turn, {THREADS} threads each.",
        "",
        f"- {cpu_model()}; PyTorch's kernels: {torch.backends.cpu.get_cpu_capability()}",
        f"- {rustc()}; PyTorch {torch.__version__}; Python {platform.python_version()}",
        "",
        "Memory is the peak of the whole process. PyTorch's import alone takes what the last column "
        "says; the steps' own share is the difference.",
        "",
    ]
    for network in options.network or dann_step.NETWORKS:
        lines += table(network, compare(network, options.rounds, options.steps))
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
