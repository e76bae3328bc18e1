"""How time and memory of Transduct's methods on host arrays grow with the number of rows.

    growth.py [--into FILE]

Prints a table; it takes the place of FILE's last one. Needs NumPy and target/release/host-tasks.
"""

import argparse
import pathlib
import sys
import tempfile

import host_tasks
from sides import OURS, ROOT, THREADS, Side, in_turn, put_section

# Rows a domain.
ROWS = {
    "coral": (2_500, 5_000, 10_000, 20_000),
    "ulsif": (1_000, 2_000, 4_000, 8_000),
    "kmm": (2_000, 4_000, 8_000, 20_000),
    "tca": (500, 1_000, 2_000, 4_000),
    "emd": (500, 1_000, 2_000, 4_000),
    "sinkhorn": (500, 1_000, 2_000, 4_000),
}
ROUNDS = 3


def measure(task, rows):
    host_tasks.SIZES[task] = (rows, host_tasks.SIZES[task][1])
    with tempfile.TemporaryDirectory() as folder:
        host_tasks.make(task, folder)
        side = Side(OURS, [ROOT / "target/release/host-tasks", task, str(THREADS), folder], False)
        side.run(1)
        in_turn([side], ROUNDS, 1)
        side.close()
    return f"{side.low_middle_high()[1]:,.0f} ms, {side.peak / 1024:,.0f} MiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=pathlib.Path)
    options = parser.parse_args()
    lines = [
        "## Growth with the number of rows",
        "",
        f"`growth.py`: {OURS} alone, {THREADS} threads, the median of {ROUNDS} runs and the peak "
        "memory of the process, data included; rows of each domain.",
        "",
        "| method | rows: time, memory | | | |",
        "|---|---|---|---|---|",
    ]
    for task, sizes in ROWS.items():
        cells = [f"{rows:,}: {measure(task, rows)}" for rows in sizes]
        lines.append(f"| {task} | {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.into:
        put_section(options.into, text)


if __name__ == "__main__":
    main()
