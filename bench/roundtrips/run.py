#!/usr/bin/env python3
"""Round trips that a mail takes over one warm connection of a long line.

    run.py [--only sink,postfix,sink-tls,postfix-tls] [--rounds N] [--mails N]
           [--rows WORD] [--delay-ms N] [--lua NAME] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import pathlib
import platform
import subprocess
import sys

# What all measurements share lies in the folder above.
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import clients
import postfix
import rig as rigs
from clients import Row
from options import make_parser, parse
from tables import interleaved, median, print_table, ratio, spread

BASE = clients.SMTPLIB.name

WAYS = [  # function, window, whether with CHUNKING
    ("send_all", 0, False),
    ("send_all", 1, False),
    ("send_all", 0, True),
    ("send_all", 1, True),
    ("send_all", 8, True),
    ("send_all", 32, True),
    ("send", 1, False),
    ("send", 1, True),
]


LIMIT_WAYS = [way for way in WAYS if way[:2] in (("send_all", 1), ("send_all", 8))]

PEERS = (clients.SMTPLIB, clients.CURL, clients.GO, clients.NODEMAILER)


def make_row(who, client, way):
    how, window, chunking = way
    word = "CHUNKING" if chunking else "PIPELINING"
    name = f"{how}, {word}" + (f", window {window}" if how == "send_all" else "")
    return Row(f"{who} {name}", client, {"HOW": how, "WINDOW": window, "CHUNKING": chunking})


def list_rows(options):
    rows = [make_row("qqmail", clients.qqmail(options.lua), way) for way in WAYS]
    rows += [make_row("limit", clients.LIMIT, way) for way in LIMIT_WAYS]
    rows += [Row(client.name, client) for client in PEERS]
    return [row for row in rows if options.rows in row.name]


TARGETS = {  # most round trips a mail
    "qqmail send_all, PIPELINING, window 1": 1.1,
    "qqmail send_all, CHUNKING, window 1": 1.1,
    "qqmail send_all, CHUNKING, window 8": 0.3,
}


class Bench:
    """One server at the other end of the line."""

    def __init__(self, rig, options, port, tls, sink=None):
        self.rig = rig
        self.options = options
        self.server_port = port
        self.tls = tls
        self.sink = sink  # it says how many mails it has; others are believed
        self.alone = {}  # of each row: what the line counts without a mail of the measurement

    def run(self, row, mails):
        """What the client says, and what the line has counted meanwhile."""
        taken = self.taken()
        link = rigs.Link(self.rig, self.server_port, self.options.delay_ms)
        settings = clients.settings_for(self.rig, link.port, self.tls)
        try:
            sample = clients.run_client(self.rig, row, {**settings, "MAILS": mails},
                                        mails * 10 * self.round_trip())
        finally:
            counts = link.end()
        sample["connections"] = len(counts)
        # What the client believes, with the first mail, and what the sink has.
        sample["astray"] = abs(self.taken() - taken - sample["sent"] - 1) if self.sink else 0
        for field in ("bursts", "round_trips"):
            sample[field] = sum(connection[field] for connection in counts)
        return sample

    def taken(self):
        return self.sink.counts()["mails"] if self.sink else 0

    def round_trip(self):
        return 2 * self.options.delay_ms / 1000

    def usable(self, rows):
        """Tried with the mail that makes the connection warm."""
        self.alone = clients.try_each(rows, lambda row: self.run(row, 0))
        return [row for row in rows if row.name in self.alone]

    def measure(self, row):
        mails = self.options.mails
        try:
            sample = self.run(row, mails)
        except rigs.ClientError as error:
            raise rigs.RigError(f"{row.name}: {error}") from None
        for field in ("bursts", "round_trips"):
            sample[field] = (sample[field] - self.alone[row.name][field]) / mails
        sample["rtts"] = sample["seconds"] / mails / self.round_trip()
        sample["rate"] = mails / sample["seconds"]
        sample["failed"] = mails - sample["sent"] + sample["astray"]
        return sample


def table(title, rows, results):
    base = results.get(BASE)
    cells = []
    for row in rows:
        samples = results[row.name]
        low, high = spread(samples, "rtts")
        cells.append([
            row.name, f"{median(samples, 'rtts'):.2f}", f"{low:.2f} to {high:.2f}",
            f"{median(samples, 'round_trips'):.2f}", f"{median(samples, 'bursts'):.2f}",
            f"{median(samples, 'rate'):.1f}",
            f"{1 / ratio(samples, base, 'seconds'):.2f}" if base else "-",
            f"{sum(sample['failed'] for sample in samples):.0f}",
            f"{max(sample['connections'] for sample in samples)}"])
    print_table([title, "time/RTT", "low to high", "round trips", "bursts", "mails/s",
                 "times smtplib", "failed", "conns"], cells)


def print_targets(results):
    for name in [name for name in TARGETS if name in results]:
        most, found = TARGETS[name], median(results[name], "rtts")
        print(f"{'met' if found <= most else 'MISSED'}: {name}: {found:.2f} round trips a mail"
              f" by time, {median(results[name], 'round_trips'):.2f} counted; wanted: at most"
              f" {most}")


def is_sound(results):
    """Whether every mail arrived, on the connection that was warm."""
    return all(sample["failed"] == 0 and sample["connections"] == 1
               for samples in results.values() for sample in samples)


def run_section(bench, title):
    options = bench.options
    rows = bench.usable(list_rows(options))
    if not rows:
        return True
    results = interleaved(rows, options.rounds, bench.measure)
    table(title, rows, results)
    print_targets(results)
    return is_sound(results)


def on_sink(rig, options, tls):
    print(f"\n== to the scripted server, {'plain' if tls == 'none' else 'TLS'} ==")
    mode = "plain" if tls == "none" else "implicit"
    sink = rigs.Sink(rig, "--mode", mode, "--chunking")
    sound = run_section(Bench(rig, options, sink.port, tls, sink), "a mail to the scripted server")
    rig.stop(sink)
    return sound


def on_postfix(rig, options, tls):
    reason = postfix.missing()
    if reason:
        print(f"left out: Postfix: {reason}")
        return True
    print(f"\n== to Postfix {postfix.version()}, {'plain' if tls == 'none' else 'TLS'} ==")
    server = postfix.Postfix(rig)
    try:
        return run_section(Bench(rig, options, server.port(tls), tls), "a mail to Postfix")
    finally:
        server.stop()


SECTIONS = {
    "sink": (on_sink, "none"),
    "postfix": (on_postfix, "none"),
    "sink-tls": (on_sink, "implicit"),
    "postfix-tls": (on_postfix, "implicit"),
}


def versions():
    curl = subprocess.run(["curl", "--version"], stdout=subprocess.PIPE, text=True, check=False)
    return f"Python {platform.python_version()}, {' '.join(curl.stdout.split()[:2])}"


def main():
    parser = make_parser(__doc__, SECTIONS, rounds=3)
    parser.add_argument("--mails", type=int, default=200, help="mails of each measurement")
    parser.add_argument("--delay-ms", type=int, default=20, help="of the line, each way")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter, and its build")
    options = parse(parser)
    print(f"{options.mails} mails on one warm connection, {options.delay_ms} ms each way;"
          f" {options.lua}, {versions()}; medians of {options.rounds} rounds")
    with rigs.Rig(not options.no_pin) as rig:
        sound = [SECTIONS[name][0](rig, options, SECTIONS[name][1]) for name in options.only]
    if not all(sound):
        raise rigs.RigError("mails failed, or left the warm connection")


if __name__ == "__main__":
    rigs.run(main)
