"""Reads files in Transduct and in Python's readers, in turn, and writes the medians.

    reading.py [--rounds N] [--task TASK] [--data FOLDER] [--before BINARY] [--into FILE]

The tables take the place of FILE's section "Reading". BINARY is a side of another version of the
program, which answers as target/release/reading does. FOLDER holds `mnist` and `office31/amazon`, which
some tasks read. Needs the packages of reading-requirements.txt and target/release/reading.
"""

import argparse
import datetime
import gzip
import importlib.metadata
import os
import pathlib
import platform
import shutil
import statistics
import sys
import tempfile

import numpy as np
from serve import peak_kib, serve
from sides import OURS, ROOT, Side, cpu_model, put_section, race, ratio, rustc

PACKAGES = ["numpy", "pandas", "pyarrow", "pillow"]
ROWS, COLUMNS = 100_000, 50
PICTURES, SIZE = 310, 224


class Reader(Side):
    """A side that counts the time of the processor too, which others on the machine change less."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cpu = []

    def run(self, steps):
        before = self.processor()
        times = super().run(steps)
        self.cpu.append(self.processor() - before)
        return times

    def processor(self):
        """The milliseconds that all threads have run, those that ended too, in ticks of 10."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return 1e3 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pandas_csv(**options):
    def make(path):
        import pandas as pd

        if options.get("engine") == "pyarrow":
            import pyarrow.csv  # noqa: F401

        def run():
            frame = pd.read_csv(path, **options)
            labels = frame.pop("label").tolist()
            assert len(labels) == len(frame)
            return frame.to_numpy(float)

        return run

    return make


def numpy_csv(path):
    # Without the labels, which would take a second pass.
    return lambda: np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(COLUMNS))


def numpy_npy(path):
    def run():
        x = np.load(path)
        assert np.isfinite(x).all()
        return x

    return run


def numpy_idx(path):
    def run():
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            data = file.read()
        shape = np.frombuffer(data, ">u4", 3, 4)
        return np.frombuffer(data, np.uint8, offset=16).reshape(shape).astype(np.float32)

    return run


def pillow_pictures(path):
    from PIL import Image

    def picture(file):
        with Image.open(file) as image:
            image = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            return np.asarray(image, np.float32).transpose(2, 0, 1) / 255

    return lambda: np.stack([picture(file) for file in sorted(pathlib.Path(path).glob("*/*"))])


# What is read, with which threads of ours, and the other sides.
TASKS = {
    "csv": (
        f"CSV, {ROWS:,} rows of {COLUMNS} numbers of 17 digits and a text label",
        (1, 2),
        {
            "pandas, C": pandas_csv(),
            "pandas, C, round_trip": pandas_csv(float_precision="round_trip"),
            "pandas, pyarrow": pandas_csv(engine="pyarrow"),
            "NumPy loadtxt": numpy_csv,
        },
    ),
    "npy": (f"NPY, {ROWS:,} × {COLUMNS} of double precision", (1,), {"NumPy": numpy_npy}),
    "idx": ("IDX, MNIST's 60,000 training images", (1,), {"NumPy": numpy_idx}),
    "idx.gz": ("IDX, the same in gzip", (1,), {"NumPy": numpy_idx}),
    "pictures": (
        f"{PICTURES} JPEG files of Office-31, amazon, to {SIZE} × {SIZE}",
        (1, 2),
        {"Pillow": pillow_pictures},
    ),
}


def bits(x):
    x = np.ascontiguousarray(x, np.float64).ravel()
    return f"{np.bitwise_xor.reduce(x.view(np.uint64)):016x} {x.mean():.6f}"


def make(task, folder, data):
    """The path to read, and the bits of what is written there, where that is known."""
    if task in ("csv", "npy"):
        x = np.random.default_rng(0).standard_normal((ROWS, COLUMNS))
        path = folder / f"x.{task}"
        if task == "npy":
            np.save(path, x)
        else:
            with path.open("w") as file:
                print(*(f"x{i}" for i in range(COLUMNS)), "label", sep=",", file=file)
                for i, row in enumerate(x):
                    print(*(f"{v:.16e}" for v in row), f"class {i % 7}", sep=",", file=file)
        return path, bits(x)
    if data is None:
        raise FileNotFoundError("no --data")
    if task == "pictures":
        files = sorted((data / "office31/amazon").glob("*/*"))
        for file in files[:: len(files) // PICTURES][:PICTURES]:
            to = folder / "pictures" / file.parent.name
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)
        return folder / "pictures", None
    packed = data / "mnist/train-images-idx3-ubyte.gz"
    if task == "idx.gz":
        return packed, None
    path = folder / "images-idx3-ubyte"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path, None


def compare(task, rounds, folder, data, before):
    path, written = make(task, pathlib.Path(folder), data)
    _, threads, variants = TASKS[task]
    kind = task.removesuffix(".gz")

    def ours(name, binary):
        names = {t: name if threads == (1,) else f"{name}, {t} threads" for t in threads}
        names[1] = names[1].replace("1 threads", "1 thread")
        return [Reader(names[t], [binary, kind, str(t), path], False) for t in threads]

    sides = ours(OURS, ROOT / "target/release/reading")
    if before:
        sides += ours("before", before)
    for variant in variants:
        sides.append(Reader(variant, [sys.executable, __file__, "side", task, variant, path], True))

    def warm_up(side):
        side.run(1)
        side.cpu.clear()
        # The memory of one reading: a process that has read before may hold what it freed.
        side.once = side.peak
        answer = side.ask("check").strip()
        side.answer = f"mean {answer.split()[1]}"
        if written:
            side.answer = "as written" if answer == written else "rounded otherwise"

    return race(task, sides, warm_up, rounds, 1), path


def processor(side):
    return f"{statistics.median(side.cpu):,.0f} ({min(side.cpu):,.0f}, {max(side.cpu):,.0f})"


def table(task, sides, path):
    files = [path] if path.is_file() else path.glob("*/*")
    size = sum(file.stat().st_size for file in files) / 2**20
    lines = [
        f"### {TASKS[task][0]}",
        "",
        f"{size:,.0f} MiB on disk.",
        "",
        "| side | ms, median (least, most) of rounds | of the processor | peak memory, MiB "
        "| before the work | numbers |",
        "|---|---|---|---|---|---|",
    ]
    for side in sides:
        low, middle, high = side.low_middle_high()
        lines.append(
            f"| {side.name} | {middle:,.1f} ({low:,.1f}, {high:,.1f}) | {processor(side)} "
            f"| {side.once / 1024:.0f} "
            f"| {side.imported / 1024:.0f} | {side.answer} |"
        )
    ours, *others = sides
    others = [side for side in others if not side.name.startswith(OURS)]
    return lines + [""] + [f"- {ratio(ours, other)}" for other in others] + [""]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--task", choices=TASKS, action="append")
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("TRANSDUCT_DATA"))
    parser.add_argument("--before", type=pathlib.Path)
    parser.add_argument("--into", type=pathlib.Path)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    body = []
    for task in options.task or TASKS:
        with tempfile.TemporaryDirectory() as folder:
            sides, path = compare(task, options.rounds, folder, options.data, options.before)
            body += table(task, sides, path)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    head = [
        "## Reading",
        "",
        f"`reading.py --rounds {options.rounds}{' --before BINARY' if options.before else ''}`, "
        f"{datetime.date.today()}: all sides in turn, files in the page cache; load of the machine "
        f"{load:.1f} before and {os.getloadavg()[0]:.1f} after.",
        "",
        f"- {cpu_model()}",
        f"- {rustc()}; Python {platform.python_version()}: {versions}",
        "",
        "\"Of the processor\" is what all threads of a side ran, which does not count the waiting for "
        "others on the machine. Memory is the peak of the whole process after it has read once; "
        "\"before the work\" is what its imports took.",
        "",
    ]
    text = "\n".join(head + body)
    print(text)
    if options.into:
        put_section(options.into, text)


def side(task, variant, path):
    run = TASKS[task][2][variant](path)
    print(peak_kib(), flush=True)
    serve(run, check=bits)


if __name__ == "__main__":
    if sys.argv[1:2] == ["side"]:
        side(*sys.argv[2:])
    else:
        main()
