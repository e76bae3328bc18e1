"""Runs the steps of both sides in turn and writes the medians. Called by run.sh."""

import argparse
import datetime
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import dann_step
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
THREADS = 2
OURS = "Transduct"


class Side:
    """A process that runs steps on request."""

    def __init__(self, name, command, tells_import):
        self.name, self.times, self.peak = name, [], 0
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.imported = int(self.process.stdout.readline() or 0) if tells_import else 0

    def run(self, steps):
        """Milliseconds of each step; raises where the process ended."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        *times, peak = self.process.stdout.readline().split()
        self.peak = int(peak)
        return [float(t) for t in times]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(network, rounds, steps):
    """The sides that ran, ours first."""
    binary = ROOT / "target/release/dann-step"
    peer = pathlib.Path(__file__).with_name("dann_step.py")
    sides = [Side(OURS, [binary, network, str(THREADS)], False)]
    for variant in dann_step.VARIANTS:
        command = [sys.executable, peer, network, variant, str(THREADS)]
        sides.append(Side(f"PyTorch {variant}", command, True))
    working = []
    for side in sides:
        try:
            side.run(2 * steps)
            working.append(side)
        except (BrokenPipeError, ValueError):
            print(f"{network}: {side.name} does not run here", file=sys.stderr)
    for i in range(rounds):
        # Every other round backwards, so that no side always follows the same one.
        for side in working[:: 1 if i % 2 == 0 else -1]:
            time.sleep(0.1)
            side.times.append(statistics.median(side.run(steps)))
    for side in sides:
        side.close()
    return working


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
        low, middle, high = min(side.times), statistics.median(side.times), max(side.times)
        lines.append(
            f"| {side.name} | {middle:.2f} ({low:.2f}, {high:.2f}) "
            f"| {side.peak / 1024:.0f} | {side.imported / 1024:.0f} |"
        )
    ratios = [peer / our for peer, our in zip(best.times, ours.times)]
    lines += [
        "",
        f"{best.name} / {OURS}: **{statistics.median(best.times) / statistics.median(ours.times):.2f}** "
        f"(ratio of medians; by round {min(ratios):.2f} to {max(ratios):.2f}).",
        "",
    ]
    return lines


def cpu_model():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(names)} cores"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20, help="steps a round")
    parser.add_argument("--network", choices=dann_step.NETWORKS, action="append")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    lines = [
        "# Training steps beside PyTorch's",
        "",
        f"`compare.py {' '.join(sys.argv[1:])}` ({datetime.date.today()}): {options.rounds} rounds "
        f"of {options.steps} steps, all sides in turn, {THREADS} threads each.",
        "",
        f"- {cpu_model()}; PyTorch's kernels: {torch.backends.cpu.get_cpu_capability()}",
        f"- {rustc.stdout.strip()}; PyTorch {torch.__version__}; Python {platform.python_version()}",
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
