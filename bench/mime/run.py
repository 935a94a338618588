#!/usr/bin/env python3
"""One large file as a MIME message, written to a descriptor: how fast, and in
how much memory.

    run.py [--sizes 25,200] [--outputs null,pipe,file] [--rounds N]
           [--rows WORD] [--lua NAME] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import argparse
import email
import os
import pathlib
import sys
from typing import NamedTuple

# What all measurements share lies in the folder above.
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import rig as rigs
from tables import interleaved, median, print_table, ratio, spread

PEERS = rigs.BENCH / "peers"
MODULES = rigs.ROOT / "build/peers/node_modules"
MIB = 1 << 20
PATIENCE = 120  # seconds for one message

LIMIT = "limit: base64 lines alone"
OURS = "qqmail"
CURL = "libcurl mime, to the sink by SMTP"


class Peer(NamedTuple):
    name: str
    command: list
    needs: pathlib.Path  # what it cannot run without
    env: dict = {}


def list_peers(lua):
    binary = [
        (LIMIT, "mime_limit"), ("GMime", "mime_gmime"), (CURL, "mime_curl"),
        ("Go mime/multipart", "mime_go")]
    build = rigs.ROOT / "build" / lua
    return [
        Peer(OURS, [lua, PEERS / "mime_qqmail.lua"], build, rigs.lua_environment(build)),
        *(Peer(name, [rigs.BIN / file], rigs.BIN / file) for name, file in binary),
        Peer("nodemailer", ["node", PEERS / "mime_nodemailer.mjs"], MODULES / "nodemailer",
             {"MODULES": str(MODULES)}),
        Peer("Python email", [sys.executable, PEERS / "mime_python.py"], PEERS),
    ]


class Bench:
    def __init__(self, rig):
        self.rig = rig
        self.sink = rigs.Sink(rig, "--mode", "plain")
        self.outputs = {"null": "/dev/null", "pipe": rig.root / "pipe", "file": rig.root / "out"}
        os.mkfifo(self.outputs["pipe"])
        # One reader for all: open for writing as well, it never sees an end.
        rig.start(["sh", "-c", 'exec cat <>"$1" >/dev/null', "sh", self.outputs["pipe"]])

    def make_file(self, size):
        """Bytes that nothing can compress, or guess."""
        file = self.rig.root / f"attachment-{size}"
        with open(file, "wb") as out:
            for _ in range(size):
                out.write(os.urandom(MIB))
        return file

    def run(self, peer, file, output):
        env = {**peer.env, "FILE": str(file), "OUT": str(self.outputs[output]),
               "H": "127.0.0.1", "P": str(self.sink.port)}
        said = self.rig.run_client([rigs.BIN / "launch", 1, *peer.command], env, PATIENCE)
        sample = rigs.parse_fields(said)
        sample["rate"] = file.stat().st_size / sample["seconds"] / 1e6
        sample["rss_mib"] = sample["rss_kib"] / 1024
        return sample


def attachment(message):
    parts = email.message_from_bytes(message).walk()
    return [part.get_payload(decode=True) for part in parts
            if part.get_content_type() == "application/octet-stream"]


def why_not(bench, peer, file):
    """Tried with a small file; why the peer is left out, if it is."""
    if not peer.needs.exists():
        return f"{peer.needs.name} is missing"
    try:
        bench.run(peer, file, "file")
    except (rigs.ClientError, OSError) as error:
        return str(error)
    if peer.name in (LIMIT, CURL):
        return None
    if attachment(bench.outputs["file"].read_bytes()) != [file.read_bytes()]:
        return "its message does not hold the file"
    return None


def usable(bench, peers):
    file = bench.make_file(1)
    reasons = {peer.name: why_not(bench, peer, file) for peer in peers}
    for name, reason in reasons.items():
        if reason:
            print(f"left out: {name}: {reason}")
    return [peer for peer in peers if not reasons[peer.name]]


def best_peer(results):
    rates = {name: median(samples, "rate") for name, samples in results.items()
             if name not in (LIMIT, OURS)}
    return max(rates, key=rates.get, default=None)


def ratio_cell(results, name, base):
    return f"{ratio(results[name], results[base], 'rate'):.2f}" if base in results else "-"


def table(title, results):
    best = best_peer(results)
    cells = []
    for name, samples in results.items():
        low, high = spread(samples, "rate")
        cells.append([
            name, f"{median(samples, 'rate'):.0f}", f"{low:.0f} to {high:.0f}",
            ratio_cell(results, name, best), ratio_cell(results, name, LIMIT),
            f"{median(samples, 'rss_mib'):.1f}", f"{median(samples, 'cpu_ms'):.1f}",
            f"{median(samples, 'process_ms'):.1f}"])
    print_table([title, "MB/s", "low to high", "to best peer", "to limit", "peak RSS MiB",
                 "CPU ms", "process ms"], cells)


def run_case(bench, peers, options, file, size, output):
    # What libcurl writes goes to the sink, whatever the output is.
    rows = [peer for peer in peers if peer.name != CURL or output == "null"]
    if rows:
        results = interleaved(rows, options.rounds, lambda peer: bench.run(peer, file, output))
        table(f"{size} MiB to {output}", results)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="25,200", help="MiB of the file, with commas")
    parser.add_argument("--outputs", default="null,pipe,file", help="where to, with commas")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each table")
    parser.add_argument("--rows", default="", help="only the rows with this in their name")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter, and its build")
    parser.add_argument("--no-pin", action="store_true", help="let all share the CPUs")
    options = parser.parse_args()
    options.outputs = options.outputs.split(",")
    unknown = set(options.outputs) - {"null", "pipe", "file"}
    if unknown:
        parser.error(f"no such output: {', '.join(sorted(unknown))}")
    sizes = options.sizes.split(",")
    if not all(size.isdigit() and 1 <= int(size) <= 2000 for size in sizes):
        parser.error("--sizes are 1 to 2000")
    options.sizes = [int(size) for size in sizes]
    if not 1 <= options.rounds <= 10000:
        parser.error("--rounds is 1 to 10000")
    return options


def main():
    options = parse_options()
    peers = [peer for peer in list_peers(options.lua) if options.rows in peer.name]
    print(f"a message with one file; {options.lua}; medians of {options.rounds} rounds")
    with rigs.Rig(not options.no_pin) as rig:
        bench = Bench(rig)
        peers = usable(bench, peers)
        for size in options.sizes:
            file = bench.make_file(size)
            for output in options.outputs:
                run_case(bench, peers, options, file, size, output)
            file.unlink()


if __name__ == "__main__":
    rigs.run(main)
