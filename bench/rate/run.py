#!/usr/bin/env python3
"""Mails a second over one warm connection, each built for itself.

    run.py [--only plain,tls] [--rounds N] [--seconds S] [--rows WORD]
           [--luas luajit,lua5.4] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import pathlib
import sys

# What all measurements share lies in the folder above.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import clients
import rig as rigs
from clients import Row
from options import make_timed_parser, parse

LEAST = 16  # mails of a measurement

SECTIONS = {"plain": "none", "tls": "implicit"}

MODES = {  # the settings that say the same to the library and to the limit
    "one by one": {"HOW": "send", "CHUNKING": False},
    "PIPELINING, window 1": {"HOW": "send_all", "CHUNKING": False, "WINDOW": 1},
    "CHUNKING, window 1": {"HOW": "send_all", "CHUNKING": True, "WINDOW": 1},
    "CHUNKING, window 8": {"HOW": "send_all", "CHUNKING": True, "WINDOW": 8},
}

TARGETS = [  # mode, at least so much of the limit, at least so many times the best peer
    ("PIPELINING, window 1", 0.7, 3),
    ("CHUNKING, window 8", 0.35, 12),
]


def limit_name(mode):
    return f"limit, {mode}"


def list_rows(options):
    rows = [Row(limit_name(mode), clients.LIMIT, settings) for mode, settings in MODES.items()]
    for lua in options.luas:
        client = clients.qqmail(lua)
        rows += [Row(f"{client.name}, {mode}", client, settings, limit_name(mode))
                 for mode, settings in MODES.items()]
    rows += clients.peer_rows(options.luas[-1])
    return [row for row in rows if options.rows in row.name]


COLUMNS = [
    ("CPU us/mail", clients.median_cell("cpu_us")),
    ("to libcurl's", lambda results, name: clients.ratio_cell(results, name, clients.CURL.name,
                                                              "cpu_us")),
    ("server us/mail", clients.median_cell("server_us")),
    ("bytes", clients.median_cell("size", digits=0)),
]


def print_targets(options, section, rows, results):
    best = clients.best_peer(rows, results)
    for lua in options.luas:
        for mode, of_limit, of_best in TARGETS:
            name = f"{clients.qqmail(lua).name}, {mode}"
            title = f"{section}: "
            clients.print_target(title, results, (name, limit_name(mode)), least=of_limit)
            clients.print_target(title, results, (name, best), least=of_best)
            clients.print_target(title, results, (name, clients.CURL.name), "cpu_us", most=1)


def run_section(rig, options, section):
    bench = clients.Bench(rig, SECTIONS[section])
    rows = bench.usable(list_rows(options))
    if not rows:
        return True
    results = bench.timed_rounds(rows, options, LEAST)
    clients.print_rates(f"warm connection, {section}", rows, results, "mails/s", COLUMNS)
    print_targets(options, section, rows, results)
    bench.stop()
    return clients.is_sound(results)


def main():
    options = parse(make_timed_parser(__doc__, SECTIONS))
    print(f"mails over one warm connection; medians of {options.rounds} rounds of"
          f" {options.seconds:g} s")
    clients.run_sections(options, run_section)


if __name__ == "__main__":
    rigs.run(main)
