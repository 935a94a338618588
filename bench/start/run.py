#!/usr/bin/env python3
"""What it costs a process to load the library, and to send one mail over TLS.

    run.py [--rounds N] [--runs N] [--luas lua5.4,luajit] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import argparse
import pathlib
import statistics
import sys
from typing import NamedTuple

# What all measurements share lies in the folder above.
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import rig as rigs
from tables import interleaved, median, print_table, ratio, spread

PATIENCE = 120  # seconds for the runs of one row in one round

BARE = "bare"
LUASEC = "LuaSocket and LuaSec, one TLS mail"
OURS = "qqmail, one TLS mail"
REQUIRE = 'require "qqmail"'
FIELDS = ("process_ms", "cpu_ms", "rss_kib")

NEW = 'require("qqmail").new { host = "127.0.0.1", port = 25, tls = "none", log = "off" }'
BUILD = 'require("qqmail").message { from = "a@b.cn", to = "c@d.cn", subject = "x", text = "y" }'
PEER = 'require "socket.smtp" require "mime" require "ltn12" require "ssl"'


class Row(NamedTuple):
    name: str
    words: list
    env: dict


def list_rows(rig, lua, sink):
    ours = rigs.lua_environment(rigs.ROOT / "build" / lua)
    authority = rig.root / "certs/ca.pem"
    return [
        Row(BARE, ["-e", ""], {}),
        Row(REQUIRE, ["-e", REQUIRE], ours),
        Row("and a message", ["-e", BUILD], ours),
        Row("and a mailer", ["-e", NEW], ours),
        Row("LuaSocket and LuaSec, loaded", ["-e", PEER], {}),
        Row(OURS, [HERE / "qqmail_mail.lua", f"port={sink.port}", f"ca={authority}"], ours),
        Row(LUASEC, [rigs.BENCH / "peers/start_luasec.lua"],
            {"P": str(sink.port), "CA": str(authority)}),
    ]


def measure(rig, lua, runs, row):
    """The medians of so many processes, one after another."""
    said = rig.run_client([rigs.BIN / "launch", runs, lua, *row.words], row.env, PATIENCE)
    samples = [rigs.parse_fields(line) for line in said.splitlines()]
    return {field: statistics.median(sample[field] for sample in samples) for field in FIELDS}


def usable(rig, lua, rows):
    out = []
    for row in rows:
        try:
            measure(rig, lua, 1, row)
            out.append(row)
        except rigs.ClientError as error:
            print(f"left out: {lua}: {row.name}: {error}")
    return out


def over_bare(samples, bare, field):
    """The median of the differences within each round."""
    return statistics.median(one[field] - other[field] for one, other in zip(samples, bare))


def table(lua, results):
    bare, peer = results[BARE], results.get(LUASEC)
    cells = []
    for name, samples in results.items():
        low, high = spread(samples, "cpu_ms")
        cells.append([
            name, f"{median(samples, 'process_ms'):.2f}",
            f"{over_bare(samples, bare, 'process_ms'):.2f}", f"{median(samples, 'cpu_ms'):.2f}",
            f"{low:.2f} to {high:.2f}", f"{over_bare(samples, bare, 'cpu_ms'):.2f}",
            f"{ratio(samples, peer, 'cpu_ms'):.2f}" if peer else "-",
            f"{median(samples, 'rss_kib') / 1024:.1f}"])
    print_table([lua, "process ms", "over bare", "CPU ms", "low to high", "over bare",
                 "to LuaSec's mail", "peak RSS MiB"], cells)


def print_targets(lua, results):
    loading = over_bare(results[REQUIRE], results[BARE], "process_ms")
    print(f"{'met' if loading < 2 else 'MISSED'}: {lua}: {REQUIRE}: {loading:.2f} ms over bare;"
          " wanted: under 2")
    if OURS in results and LUASEC in results:
        found = ratio(results[OURS], results[LUASEC], "cpu_ms")
        print(f"{'met' if found <= 1 else 'MISSED'}: {lua}: {OURS}: {found:.2f} of the CPU time"
              " of LuaSocket and LuaSec; wanted: at most 1")


def run_lua(rig, sink, lua, options):
    rows = usable(rig, lua, list_rows(rig, lua, sink))
    results = interleaved(rows, options.rounds, lambda row: measure(rig, lua, options.runs, row))
    table(lua, results)
    print_targets(lua, results)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each table")
    parser.add_argument("--runs", type=int, default=20, help="processes of a row in a round")
    parser.add_argument("--luas", default="lua5.4,luajit", help="interpreters, with commas")
    parser.add_argument("--no-pin", action="store_true", help="let all share the CPUs")
    options = parser.parse_args()
    for value in (options.rounds, options.runs):
        if not 1 <= value <= 10000:
            parser.error("--rounds and --runs are 1 to 10000")
    return options


def main():
    options = parse_options()
    print(f"medians of {options.rounds} rounds, each of {options.runs} processes a row")
    with rigs.Rig(not options.no_pin) as rig:
        sink = rigs.Sink(rig, "--mode", "implicit", "--chunking")
        for lua in options.luas.split(","):
            run_lua(rig, sink, lua, options)


if __name__ == "__main__":
    rigs.run(main)
