#!/usr/bin/env python3
"""Round trips that a mail takes over one warm connection of a long line.

    run.py [--only sink,postfix,sink-tls,postfix-tls] [--rounds N] [--mails N]
           [--rows WORD] [--delay-ms N] [--lua NAME] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import argparse
import pathlib
import sys

# What all measurements share lies in the folder above.
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import peers
import postfix
import rig as rigs
from tables import interleaved, median, print_table, ratio, spread

BASE = "Python smtplib"


def qqmail(how, window, chunking):
    word = "CHUNKING" if chunking else "PIPELINING"
    settings = {"how": how, "window": window, "chunking": str(chunking).lower()}
    name = f"{how}, {word}" + (f", window {window}" if how == "send_all" else "")
    return f"qqmail {name}", peers.qqmail, settings


ROWS = [  # name, peer, its settings
    qqmail("send_all", 0, False),
    qqmail("send_all", 1, False),
    qqmail("send_all", 0, True),
    qqmail("send_all", 1, True),
    qqmail("send_all", 8, True),
    qqmail("send_all", 32, True),
    qqmail("send", 1, False),
    qqmail("send", 1, True),
    (BASE, peers.smtplib, {}),
    ("curl", peers.curl, {}),
]

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
        _, peer, settings = row
        options = self.options
        taken = self.taken()
        link = rigs.Link(self.rig, self.server_port, options.delay_ms)
        try:
            sample = peer(self, link.port, settings, mails)
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

    def patience(self, mails):
        """Seconds that a client may take: twice what the slowest needs."""
        return 30 + mails * 10 * self.round_trip()

    def round_trip(self):
        return 2 * self.options.delay_ms / 1000

    def usable(self, rows):
        """The rows that can send at all, tried with the mail that makes the
        connection warm; the reasons of the others are printed."""
        for row in rows:
            try:
                self.alone[row[0]] = self.run(row, 0)
            except rigs.ClientError as error:
                print(f"left out: {row[0]}: {error}")
        return [row for row in rows if row[0] in self.alone]

    def measure(self, row):
        mails = self.options.mails
        try:
            sample = self.run(row, mails)
        except rigs.ClientError as error:
            raise rigs.RigError(f"{row[0]}: {error}") from None
        for field in ("bursts", "round_trips"):
            sample[field] = (sample[field] - self.alone[row[0]][field]) / mails
        sample["rtts"] = sample["seconds"] / mails / self.round_trip()
        sample["rate"] = mails / sample["seconds"]
        sample["failed"] = mails - sample["sent"] + sample["astray"]
        return sample


def table(title, rows, results):
    base = results.get(BASE)
    cells = []
    for name, *_ in rows:
        samples = results[name]
        low, high = spread(samples, "rtts")
        cells.append([
            name, f"{median(samples, 'rtts'):.2f}", f"{low:.2f} to {high:.2f}",
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
    rows = bench.usable([row for row in ROWS if options.rows in row[0]])
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


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each section")
    parser.add_argument("--mails", type=int, default=200, help="mails of each measurement")
    parser.add_argument("--rows", default="", help="only the rows with this in their name")
    parser.add_argument("--delay-ms", type=int, default=20, help="of the line, each way")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter, and its build")
    parser.add_argument("--no-pin", action="store_true", help="let all share the CPUs")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    for value in (options.rounds, options.mails, options.delay_ms):
        if not 1 <= value <= 10000:
            parser.error("--rounds, --mails and --delay-ms are 1 to 10000")
    return options


def main():
    options = parse_options()
    sys.stdout.reconfigure(line_buffering=True)
    print(f"{options.mails} mails on one warm connection, {options.delay_ms} ms each way;"
          f" {options.lua}, {peers.versions()}; medians of {options.rounds} rounds")
    sound = True
    try:
        with rigs.Rig(not options.no_pin) as rig:
            for name in options.only:
                section, tls = SECTIONS[name]
                sound = section(rig, options, tls) and sound
    except rigs.RigError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if not sound:
        sys.exit("bench: mails failed, or left the warm connection")


if __name__ == "__main__":
    main()
