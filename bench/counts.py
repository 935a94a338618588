#!/usr/bin/env python3
"""Instructions that a mail costs, beside those kept in baseline.json.

    counts.py [--update] [--rounds N] [--rows WORD]

README.md says what the table means.
"""

import argparse
import json
import platform
import random
import re
import subprocess

import rig as rigs
from tables import interleaved, median, print_table, spread

LUA = "lua5.4"  # without a compiler of its own, so that counts repeat
BASELINE = rigs.BENCH / "baseline.json"
CLIENT = rigs.BENCH / "counts_client.lua"
PATIENCE = 300  # seconds for one run, some fifty times slower than without valgrind

# Between the two everything has been loaded, and tables have grown.
FEW, MANY = 200, 1200

ROWS = [  # name, kind of mail, bytes of its file, window, CHUNKING
    ("notice, PIPELINING, window 1", "notice", 0, 1, False),
    ("notice, CHUNKING, window 8", "notice", 0, 8, True),
    ("attachment of 100 kB, PIPELINING, window 1", "attachment", 100_000, 1, False),
    ("Chinese, HTML and a picture, PIPELINING, window 1", "picture", 4_000, 1, False),
]


def first_line(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=True).stdout.splitlines()[0].strip()


def made_with():
    """What the counts depend on beside the sources."""
    return {"machine": platform.machine(), "lua": first_line(LUA, "-v").split("  ")[0],
            "compiler": first_line("cc", "--version"),
            "libc": " ".join(platform.libc_ver()),
            "valgrind": first_line("valgrind", "--version")}


def mail_file(rig, size):
    """A file of the same bytes each time."""
    file = rig.root / f"{size}.png"
    if not file.exists():
        file.write_bytes(random.Random(size).randbytes(size))
    return file


def callgrind(log):
    # Addresses that change from run to run would be hashed, and compared.
    return ["setarch", "-R", "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            f"--log-file={log}"]


def count(rig, sink, row, mails):
    """Instructions of a whole run."""
    _, kind, size, window, chunking = row
    log = rig.root / "callgrind.log"
    settings = {"port": sink.port, "tls": "none", "kind": kind, "window": window,
                "chunking": str(chunking).lower(), "mails": mails, "file": mail_file(rig, size)}
    rig.run_lua(LUA, CLIENT, settings, PATIENCE, callgrind(log))
    found = re.search(r"Collected : (\d+)", log.read_text())
    if not found:
        raise rigs.RigError("callgrind has counted nothing")
    return int(found[1])


def measure(rig, sink, row):
    few, many = (count(rig, sink, row, mails) for mails in (FEW, MANY))
    return {"instructions": (many - few) / (MANY - FEW)}


def percent(value, base):
    return f"{100 * (value - base) / base:+.2f}" if base else "-"


def table(results, kept):
    cells = []
    for name, samples in results.items():
        found = median(samples, "instructions")
        low, high = spread(samples, "instructions")
        base = kept.get(name)
        cells.append([name, f"{found:,.0f}", percent(high, low).lstrip("+"),
                      f"{base:,.0f}" if base else "-", percent(found, base)])
    print_table(["instructions a mail", "now", "spread %", "baseline", "difference %"], cells)


def read_baseline():
    return json.loads(BASELINE.read_text()) if BASELINE.exists() else {}


def warn_of_others(baseline):
    """Counts of another compiler or Lua can be compared, with care."""
    for name, value in made_with().items():
        before = baseline.get("made_with", {}).get(name, value)
        if value != before:
            print(f"the baseline is of another {name}: {before}, here {value}")


def update(results, kept):
    counts = {name: round(median(samples, "instructions")) for name, samples in results.items()}
    content = {"made_with": made_with(), "instructions": {**kept, **counts}}
    BASELINE.write_text(json.dumps(content, indent=2) + "\n")
    print(f"written: {BASELINE.relative_to(rigs.ROOT)}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write baseline.json")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is counted")
    parser.add_argument("--rows", default="", help="only the rows with this in their name")
    options = parser.parse_args()
    if not 1 <= options.rounds <= 100:
        parser.error("--rounds is 1 to 100")
    if not any(options.rows in row[0] for row in ROWS):
        parser.error(f"no row has {options.rows} in its name")
    return options


def main():
    options = parse_options()
    baseline = read_baseline()
    kept = baseline.get("instructions", {})
    rows = [row for row in ROWS if options.rows in row[0]]
    with rigs.Rig() as rig:
        sink = rigs.Sink(rig, "--mode", "plain", "--chunking")
        results = interleaved(rows, options.rounds, lambda row: measure(rig, sink, row))
    table(results, kept)
    if options.update:
        update(results, kept)
    else:
        warn_of_others(baseline)


if __name__ == "__main__":
    rigs.run(main)
