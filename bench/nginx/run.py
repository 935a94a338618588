#!/usr/bin/env python3
"""Mails sent from inside nginx: what they cost others, how many, how large.

    run.py [--only latency,rate,memory] [--rounds N] [--seconds S] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import argparse
import os
import pathlib
import sys
import time
import urllib.parse

# What all measurements share lies in the folder above.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import rig as rigs
from server import Nginx, ProbeRig
from tables import interleaved, median, print_table, ratio

PING_RATE = 500  # requests a second
LATENCY_PARALLEL = 8
LATENCY_DELAY_MS = 20
RATE_PARALLEL = 16
ATTACHMENT_BYTES = 25 * 1024 * 1024
OTHER_RUN_RATE = 561  # mails/s of lua-resty-mail, another run on another machine

LATENCY_ROWS = [  # name, client, connection
    ("no mail", None, None),
    ("qqmail, kept connections", "qqmail", "kept"),
    ("qqmail, new TLS connection per mail", "qqmail", "new"),
    ("bare cosocket, kept connections", "bare", "kept"),
    ("bare cosocket, new TLS connection per mail", "bare", "new"),
    ("blocking send, new TLS connection per mail", "blocking", "new"),
]

RATE_BASE = "qqmail, TLS, new without resumption"
RATE_ROWS = [  # name, client, connection, sink
    (RATE_BASE, "qqmail", "new", "no_resume"),
    ("qqmail, TLS, new with resumption", "qqmail", "new", "tls"),
    ("qqmail, TLS, kept", "qqmail", "kept", "tls"),
    ("qqmail, plain, kept", "qqmail", "kept", "plain"),
    ("bare cosocket, TLS, new", "bare", "new", "no_resume"),
    ("bare cosocket, TLS, kept", "bare", "kept", "tls"),
    ("bare cosocket, plain, kept", "bare", "kept", "plain"),
]


def mail_path(client, connection, port, tls, **more):
    query = {"client": client, "connection": connection, "port": port, "tls": tls, **more}
    return "/mail?" + urllib.parse.urlencode(query)


def usable(nginx, rows, path_of):
    """The rows that can send at all, tried with one mail each; the reasons of
    the others are printed."""
    found = []
    for row in rows:
        status, text = (200, "") if row[1] is None else nginx.get(path_of(row))
        if status == 200:
            found.append(row)
        else:
            print(f"left out: {row[0]}: {text}")
    return found


def report_faults(nginx):
    for line in nginx.faults():
        print("error.log:", line)


# --- latency ---------------------------------------------------------------


def measure_ping(rig, nginx, path, seconds):
    """Another location while mails are kept going, and those mails."""
    load = None
    if path:
        # Begins a second earlier: opening kept connections is not the matter.
        load = rig.start_probe(nginx, path, seconds + 2, "--closed",
                               "--connections", LATENCY_PARALLEL)
        time.sleep(1)
    probe = rig.start_probe(nginx, "/ping", seconds, "--rate", PING_RATE)
    sample = rig.read_probe(probe)
    sample["mails"] = sample["mails_failed"] = 0
    if load:
        mails = rig.read_probe(load)
        sample["mails"] = (mails["n"] - mails["failed"]) / max(mails["seconds"], 0.001)
        sample["mails_failed"] = mails["failed"] + mails["unanswered"]
    return sample


def latency_table(rows, results):
    base = results["no mail"]
    table = []
    for name, *_ in rows:
        samples = results[name]
        table.append([name] + [f"{median(samples, field):.2f}"
                               for field in ("p50_ms", "p99_ms", "max_ms")]
                     + [f"{ratio(samples, base, 'p99_ms'):.1f}", f"{median(samples, 'mails'):.0f}",
                        f"{sum(sample['mails_failed'] for sample in samples):.0f}",
                        f"{sum(sample['unanswered'] for sample in samples):.0f}"])
    print_table(["/ping while sending", "p50 ms", "p99 ms", "max ms", "p99 ratio", "mails/s",
                 "failed", "unanswered"], table)


def run_latency(rig, options):
    rounds, seconds = options.rounds or 3, options.seconds or 6
    print(f"== latency: /ping at {PING_RATE} requests/s, {LATENCY_PARALLEL} mails at a time, TLS,"
          f" {LATENCY_DELAY_MS} ms before each answer; medians of {rounds} x {seconds} s ==")
    sink = rigs.Sink(rig, "--mode", "implicit", "--delay-ms", LATENCY_DELAY_MS)
    nginx = Nginx(rig, options.build)

    def path_of(row):
        return mail_path(row[1], row[2], sink.port, "implicit") if row[1] else None

    rows = usable(nginx, LATENCY_ROWS, path_of)
    results = interleaved(rows, rounds,
                          lambda row: measure_ping(rig, nginx, path_of(row), seconds))
    latency_table(rows, results)
    report_faults(nginx)
    rig.stop(nginx)
    rig.stop(sink)


# --- rate ------------------------------------------------------------------


def closed_loop(rig, nginx, path, seconds):
    return rig.read_probe(rig.start_probe(nginx, path, seconds, "--closed",
                                          "--connections", RATE_PARALLEL))


def measure_rate(rig, nginx, sink, path, seconds):
    closed_loop(rig, nginx, path, 1)  # kept connections are there, code is compiled
    seen, cpu = sink.counts(), nginx.cpu_seconds()
    sample = closed_loop(rig, nginx, path, seconds)
    used = nginx.cpu_seconds() - cpu
    counts = {name: value - seen[name] for name, value in sink.counts().items()}
    mails = max(counts["mails"], 1)
    sample["rate"] = (sample["n"] - sample["failed"]) / sample["seconds"]
    sample["connections"] = counts["connections"] / mails
    sample["resumed"] = counts["resumed"] / max(counts["connections"], 1)
    sample["cpu_us"] = used / mails * 1e6
    sample["busy"] = used / sample["seconds"]
    # What the clients believe and what the sink has must be the same.
    sample["failed"] += abs(sample["n"] - sample["failed"] - counts["mails"])
    return sample


def rate_table(rows, results):
    base = results.get(RATE_BASE)
    table = []
    for name, *_ in rows:
        samples = results[name]
        rate = median(samples, "rate")
        table.append([name, f"{rate:.0f}", f"{ratio(samples, base, 'rate'):.2f}" if base else "-",
                      f"{rate / OTHER_RUN_RATE:.2f}", f"{median(samples, 'connections'):.2f}",
                      f"{median(samples, 'resumed'):.2f}", f"{median(samples, 'cpu_us'):.0f}",
                      f"{median(samples, 'busy') * 100:.0f}",
                      f"{sum(sample['failed'] for sample in samples):.0f}"])
    print_table(["mails from one worker", "mails/s", "ratio", f"to {OTHER_RUN_RATE}",
                 "conns/mail", "resumed/conn", "CPU us/mail", "worker %", "failed"], table)
    print(f"ratio: to \"{RATE_BASE}\", of the same round: what counts.\n"
          f"to {OTHER_RUN_RATE}: to lua-resty-mail in another run on another machine; a hint at"
          " best.\n")


def run_rate(rig, options):
    rounds, seconds = options.rounds or 5, options.seconds or 4
    print(f"== rate: {RATE_PARALLEL} mails at a time, no delay; medians of {rounds} x {seconds} s"
          " ==")
    sinks = {
        "tls": rigs.Sink(rig, "--mode", "implicit"),
        "no_resume": rigs.Sink(rig, "--mode", "implicit", "--no-resume"),
        "plain": rigs.Sink(rig, "--mode", "plain"),
    }
    nginx = Nginx(rig, options.build)

    def path_of(row):
        tls = "none" if row[3] == "plain" else "implicit"
        return mail_path(row[1], row[2], sinks[row[3]].port, tls)

    rows = usable(nginx, RATE_ROWS, path_of)
    results = interleaved(rows, rounds, lambda row: measure_rate(
        rig, nginx, sinks[row[3]], path_of(row), seconds))
    rate_table(rows, results)
    report_faults(nginx)
    for part in (nginx, *sinks.values()):
        rig.stop(part)


# --- memory ----------------------------------------------------------------


def measure_memory(rig, options, sink, row, file):
    """How far the worker's peak rises over what it has after a small mail."""
    nginx = Nginx(rig, options.build)
    try:
        status, text = nginx.get(mail_path(row[1], "kept", sink.port, "implicit"))
        before, seen = nginx.memory("VmRSS"), sink.counts()["bytes"]
        if status == 200:
            status, text = nginx.get(mail_path(row[1], "kept", sink.port, "implicit",
                                               attach=file))
        if status != 200:
            return text
        report_faults(nginx)
        return {"before": before, "delta": nginx.memory("VmHWM") - before,
                "sent": sink.counts()["bytes"] - seen}
    finally:
        rig.stop(nginx)


def memory_table(results):
    mib = 1024 * 1024
    print_table(["25 MiB attachment, TLS", "before MiB", "peak rise MiB", "sent MiB"], [
        [name] + [f"{median(samples, field) / mib:.1f}" for field in ("before", "delta", "sent")]
        for name, samples in results.items() if samples])


def run_memory(rig, options):
    rounds = options.rounds or 3
    print(f"== memory: one mail with a file of 25 MiB, a fresh nginx each; medians of {rounds} ==")
    sink = rigs.Sink(rig, "--mode", "implicit")
    file = rig.root / "attachment.bin"
    file.write_bytes(os.urandom(ATTACHMENT_BYTES))
    results = {}
    for row in (("qqmail", "qqmail"), ("blocking send", "blocking")):
        samples = [measure_memory(rig, options, sink, row, file) for _ in range(rounds)]
        reasons = [sample for sample in samples if isinstance(sample, str)]
        if reasons:
            print(f"left out: {row[0]}: {reasons[0]}")
        else:
            results[row[0]] = samples
    memory_table(results)
    rig.stop(sink)


SECTIONS = {"latency": run_latency, "rate": run_rate, "memory": run_memory}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas")
    parser.add_argument("--rounds", type=int, help="rounds of each section")
    parser.add_argument("--seconds", type=int, help="seconds of each measurement")
    parser.add_argument("--no-pin", action="store_true", help="let the worker share its CPU")
    parser.add_argument("--build", type=pathlib.Path, default=rigs.ROOT / "build/luajit",
                        help="folder of the modules")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    for value in (options.rounds, options.seconds):
        if value is not None and not 1 <= value <= 100:
            parser.error("--rounds and --seconds are 1 to 100")
    options.build = options.build.resolve()
    return options


def main():
    options = parse_options()
    sys.stdout.reconfigure(line_buffering=True)
    try:
        with ProbeRig(not options.no_pin) as rig:
            for name in options.only:
                SECTIONS[name](rig, options)
    except rigs.RigError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
