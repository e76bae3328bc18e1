"""What the comparisons share: a side is a process that runs steps on request."""

import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
THREADS = 2
OURS = "Transduct"


class Side:
    """A process that answers a line K with the milliseconds of K steps and its peak memory."""

    def __init__(self, name, command, tells_import):
        self.name, self.times, self.peak = name, [], 0
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.imported = int(self.process.stdout.readline() or 0) if tells_import else 0

    def run(self, steps):
        """Milliseconds of each step; raises where the process ended."""
        *times, peak = self.ask(steps).split()
        self.peak = int(peak)
        return [float(t) for t in times]

    def ask(self, request):
        """The one line that answers `request`."""
        self.process.stdin.write(f"{request}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def low_middle_high(self):
        return min(self.times), statistics.median(self.times), max(self.times)


def race(what, sides, warm_up, rounds, steps):
    """The sides that run here, each warmed up by `warm_up` and with its times filled; all are closed."""
    working = []
    for side in sides:
        try:
            warm_up(side)
            working.append(side)
        except (BrokenPipeError, ValueError, FileNotFoundError) as error:
            print(f"{what}: {side.name} does not run here: {error}", file=sys.stderr)
    in_turn(working, rounds, steps)
    for side in sides:
        side.close()
    return working


def in_turn(sides, rounds, steps):
    """Fills every side's times with the medians of its rounds."""
    for i in range(rounds):
        # Every other round backwards, so that no side always follows the same one.
        for side in sides[:: 1 if i % 2 == 0 else -1]:
            time.sleep(0.1)
            side.times.append(statistics.median(side.run(steps)))


def ratio(ours, peer):
    """One line about how much longer the peer takes."""
    ratios = [theirs / our for theirs, our in zip(peer.times, ours.times)]
    middle = statistics.median(peer.times) / statistics.median(ours.times)
    return (
        f"{peer.name} / {OURS}: **{middle:.2f}** "
        f"(ratio of medians; by round {min(ratios):.2f} to {max(ratios):.2f})."
    )


def put_section(file, section):
    """Puts a section that starts by "## NAME," in place of the file's one of that name, or at its end."""
    name = section.split(",")[0].split("\n")[0]
    head, *sections = file.read_text().split("\n## ")
    sections = [f"## {text}".strip("\n") for text in sections]
    same = [i for i, text in enumerate(sections) if text.split(",")[0].split("\n")[0] == name]
    if same:
        sections[same[0]] = section.strip("\n")
    else:
        sections.append(section.strip("\n"))
    file.write_text("\n\n".join([head.strip("\n"), *sections]) + "\n")


def cpu_model():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(names)} cores"


def rustc():
    return subprocess.run(
        ["rustc", "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
