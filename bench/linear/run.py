#!/usr/bin/env python3
"""Whether what the library does takes ten and a hundred times as long when there
is ten and a hundred times as much to do.

    run.py [--only recipients,attachment,...] [--rounds N] [--lua NAME] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import argparse
import pathlib
import sys
from typing import NamedTuple

# What all measurements share lies in the folder above.
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import rig as rigs
from tables import interleaved, median, print_table, ratio, spread

SCALES = (1, 10, 100)
WANTED = 1.2  # the most time a unit, beside that of scale 1
PATIENCE = 600  # seconds for one measurement
MIB = 1 << 20


class Case(NamedTuple):
    """The base is so large that a unit outweighs what a mail costs besides."""
    unit: str
    base: int
    per: int = 1  # so many of what the client counts are a unit


CASES = {
    "recipients": Case("recipient", 400),
    "attachment": Case("MiB", 4 * MIB, MIB),
    "header": Case("kB", 30_000, 1000),
    "chinese_header": Case("kB", 20_000, 1000),
    "rows": Case("row", 500),
    "queue": Case("mail", 200),
}


class Bench:
    def __init__(self, rig, options):
        self.rig = rig
        self.lua = options.lua
        self.rounds = options.rounds
        self.sink = rigs.Sink(rig, "--mode", "plain", "--chunking")

    def make_file(self, size):
        """A hole of a file: nothing that a disk does counts."""
        file = self.rig.root / f"attachment-{size}"
        with open(file, "wb") as out:
            out.truncate(size)
        return file

    def measure(self, row):
        _, case, scale = row
        kind = CASES[case]
        size = kind.base * scale
        settings = {"case": case, "scale": scale, "base": kind.base, "port": self.sink.port,
                    "tls": "none", "file": self.make_file(size if case == "attachment" else 0)}
        said = self.rig.run_lua(self.lua, HERE / "client.lua", settings, PATIENCE)
        sample = rigs.parse_fields(said)
        units = kind.base / kind.per * max(SCALES)
        return {"us": sample["seconds"] / units * 1e6, "cpu_us": sample["cpu"] / units * 1e6}


def list_rows(case):
    kind = CASES[case]
    return [(f"{case} {kind.base * scale // kind.per:,}", case, scale) for scale in SCALES]


def table(case, rows, results):
    base = results[rows[0][0]]
    cells = []
    for name, *_ in rows:
        samples = results[name]
        low, high = spread(samples, "us")
        cells.append([
            name, f"{median(samples, 'us'):.2f}", f"{low:.2f} to {high:.2f}",
            f"{ratio(samples, base, 'us'):.2f}", f"{median(samples, 'cpu_us'):.2f}",
            f"{ratio(samples, base, 'cpu_us'):.2f}"])
    print_table([case, f"us/{CASES[case].unit}", "low to high", "to 1x", "CPU us", "to 1x"], cells)


def print_target(case, rows, results):
    base = results[rows[0][0]]
    most = max(ratio(results[name], base, "us") for name, *_ in rows[1:])
    print(f"{'met' if most <= WANTED else 'MISSED'}: {case}: at most {most:.2f} times the time a"
          f" {CASES[case].unit} that it takes at 1x; wanted: at most {WANTED}\n")


def run_case(bench, case):
    rows = list_rows(case)
    results = interleaved(rows, bench.rounds, bench.measure)
    table(case, rows, results)
    print_target(case, rows, results)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(CASES), help="cases, with commas")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter, and its build")
    parser.add_argument("--no-pin", action="store_true", help="let all share the CPUs")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if not 1 <= options.rounds <= 10000:
        parser.error("--rounds is 1 to 10000")
    return options


def main():
    options = parse_options()
    print(f"{options.lua}; medians of {options.rounds} rounds")
    with rigs.Rig(not options.no_pin) as rig:
        bench = Bench(rig, options)
        for case in options.only:
            run_case(bench, case)


if __name__ == "__main__":
    rigs.run(main)
