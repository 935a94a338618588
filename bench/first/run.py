#!/usr/bin/env python3
"""Round trips to the first mail: from no connection at all to its verdict.

    run.py [--only full,resumed] [--rounds N] [--mails N] [--rows WORD]
           [--delay-ms N] [--lua NAME] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import pathlib
import statistics
import sys

# What all measurements share lies in the folder above.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import clients
import rig as rigs
from clients import Row
from options import make_parser, parse
from tables import interleaved, median, print_table, spread

SECTIONS = {  # whether TLS sessions are resumed
    "full": False,
    "resumed": True,
}

MODES = {
    "PIPELINING": {"HOW": "send", "CHUNKING": False},
    "CHUNKING": {"HOW": "send", "CHUNKING": True},
}

NEAR_LIMIT = 0.5  # round trips more than the limit, at most
BEFORE_PEER = 1  # round trips fewer than nodemailer, at least


def limit_name(mode):
    return f"limit, {mode}"


def list_rows(options, is_resumed):
    shared = {"MODE": "first", "RESUME": is_resumed}
    rows = []
    for mode, settings in MODES.items():
        rows += [Row(limit_name(mode), clients.LIMIT, {**shared, **settings}),
                 Row(f"{limit_name(mode)}, MAIL behind AUTH", clients.LIMIT,
                     {**shared, **settings, "EARLY": True})]
    client = clients.qqmail(options.lua)
    rows += [Row(f"{client.name}, {mode}", client, {**shared, **settings}, limit_name(mode))
             for mode, settings in MODES.items()]
    rows += clients.peer_rows(options.lua, **shared)
    return [row for row in rows if options.rows in row.name]


def more_round_trips(results, name, base):
    """The median of the differences within each round; None: one is not there."""
    if name not in results or base not in results:
        return None
    return statistics.median(one["rtts"] - other["rtts"]
                             for one, other in zip(results[name], results[base]))


def difference_cell(results, name, base):
    found = more_round_trips(results, name, base)
    return "-" if found is None else f"{found:+.2f}"


def table(title, rows, results):
    cells = []
    for row in rows:
        samples = results[row.name]
        low, high = spread(samples, "rtts")
        cells.append([
            row.name, f"{median(samples, 'rtts'):.2f}", f"{low:.2f} to {high:.2f}",
            difference_cell(results, row.name, row.limit),
            difference_cell(results, row.name, clients.NODEMAILER.name),
            f"{1000 / median(samples, 'rate'):.1f}",
            clients.total_cell(samples, "connections"), clients.total_cell(samples, "resumed"),
            clients.total_cell(samples, "failed")])
    print_table([title, "time/RTT", "low to high", "to limit", "to nodemailer", "ms", "conns",
                 "resumed", "failed"], cells)


def print_target(section, results, pair, most):
    name, base = pair
    found = more_round_trips(results, name, base)
    if found is not None:
        print(f"{'met' if found <= most else 'MISSED'}: {section}: {name}: {found:+.2f} round"
              f" trips to {base}; wanted: at most {most:+g}")


def print_targets(options, section, results):
    for mode in MODES:
        name = f"{clients.qqmail(options.lua).name}, {mode}"
        print_target(section, results, (name, limit_name(mode)), NEAR_LIMIT)
        print_target(section, results, (name, clients.NODEMAILER.name), -BEFORE_PEER)


def measure(bench, options, row):
    round_trip = 2 * options.delay_ms / 1000
    sample = bench.measure(row, options.mails, options.mails * 50 * round_trip)
    sample["rtts"] = sample["seconds"] / options.mails / round_trip
    return sample


def run_section(rig, options, section):
    is_resumed = SECTIONS[section]
    bench = clients.Bench(rig, "implicit", *([] if is_resumed else ["--no-resume"]),
                          delay_ms=options.delay_ms)
    rows = bench.usable(list_rows(options, is_resumed))
    if not rows:
        return True
    results = interleaved(rows, options.rounds, lambda row: measure(bench, options, row))
    table(f"TLS and AUTH, {section} handshake", rows, results)
    print_targets(options, section, results)
    bench.stop()
    return clients.is_sound(results)


def main():
    parser = make_parser(__doc__, SECTIONS, rounds=5)
    parser.add_argument("--mails", type=int, default=5, help="connections of a measurement")
    parser.add_argument("--delay-ms", type=int, default=10, help="of the line, each way")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter, and its build")
    options = parse(parser)
    print(f"from connect to the verdict on one mail, {options.delay_ms} ms each way; medians of"
          f" {options.rounds} rounds of {options.mails} connections")
    clients.run_sections(options, run_section)


if __name__ == "__main__":
    rigs.run(main)
