#!/usr/bin/env python3
"""One large file as an attachment, from its file to the server's verdict.

    run.py [--only plain,tls] [--rounds N] [--mib N] [--seconds S] [--rows WORD]
           [--luas luajit,lua5.4] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import itertools
import os
import pathlib
import sys

# What all measurements share lies in the folder above.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import clients
import rig as rigs
from clients import Row
from options import make_timed_parser, parse

MIB = 1 << 20
LIMIT = "limit, streamed"

SECTIONS = {  # tls; at least so much of the limit, at least so many times Go
    "plain": ("none", 0.5, 10),
    "tls": ("implicit", 0.6, 5),
}


def list_rows(options, file):
    data = {"FILE": file, "HOW": "send", "CHUNKING": False}
    rows = [Row(LIMIT, clients.LIMIT, data)]
    for lua in options.luas:
        client = clients.qqmail(lua)
        rows += [Row(f"{client.name}, DATA", client, data, LIMIT),
                 Row(f"{client.name}, BDAT", client, {**data, "CHUNKING": True}, LIMIT)]
    rows += clients.peer_rows(options.luas[-1], FILE=file)
    return [row for row in rows if options.rows in row.name]


COLUMNS = [
    ("CPU ms/mail", clients.median_cell("cpu_us", unit=1000)),
    ("server ms/mail", clients.median_cell("server_us", unit=1000)),
    ("peak RSS MiB", clients.median_cell("rss_mib")),
]


def print_targets(options, section, results):
    _, of_limit, of_go = SECTIONS[section]
    for lua in options.luas:
        for way in ("DATA", "BDAT"):
            name = f"{clients.qqmail(lua).name}, {way}"
            clients.print_target(f"{section}: ", results, (name, LIMIT), least=of_limit)
            clients.print_target(f"{section}: ", results, (name, clients.GO.name), least=of_go)


def make_file(rig, size):
    """Of bytes that nothing can compress, or guess."""
    file = rig.root / "attachment.bin"
    file.write_bytes(os.urandom(size))
    return file


def run_section(rig, options, section):
    size = options.mib * MIB
    bench = clients.Bench(rig, SECTIONS[section][0])
    rows = bench.usable(list_rows(options, make_file(rig, size)))
    if not rows:
        return True
    results = bench.timed_rounds(rows, options, 1)
    for sample in itertools.chain(*results.values()):
        sample["shown"] = sample["rate"] * size / 1e6
    clients.print_rates(f"{options.mib} MiB, {section}", rows, results, "MB/s", COLUMNS)
    print_targets(options, section, results)
    bench.stop()
    return clients.is_sound(results)


def main():
    parser = make_timed_parser(__doc__, SECTIONS)
    parser.add_argument("--mib", type=int, default=25, help="size of the file")
    options = parse(parser)
    print(f"one file of {options.mib} MiB a mail, one warm connection; medians of"
          f" {options.rounds} rounds of {options.seconds:g} s")
    clients.run_sections(options, run_section)


if __name__ == "__main__":
    rigs.run(main)
