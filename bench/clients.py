"""The clients that send beside each other: how each is started, and what one
measurement of it is. They take settings from the environment; README.md lists
them.
"""

import pathlib
import sys
from typing import NamedTuple

import rig as rigs
from tables import interleaved, median, print_table, ratio, spread

PEERS = rigs.BENCH / "peers"
MODULES = rigs.ROOT / "build/peers/node_modules"  # from peers/package-lock.json
START = 30  # seconds that a client may take besides its mails
WARMING = 1  # mails of each run that are not counted


class Client(NamedTuple):
    name: str
    command: list
    needs: pathlib.Path  # what it cannot run without
    env: dict = {}


class Row(NamedTuple):
    """A client with the settings that it is measured with."""
    name: str
    client: Client
    settings: dict = {}
    limit: str = ""  # the name of the row with the limit under these settings


def binary(name, file):
    return Client(name, [rigs.BIN / file], rigs.BIN / file)


LIMIT = binary("limit", "limit")
CURL = binary("libcurl", "send_curl")
GO = binary("Go net/smtp", "send_go")
SMTPLIB = Client("Python smtplib", [sys.executable, PEERS / "send_python.py"], PEERS)
NODEMAILER = Client("nodemailer", ["node", PEERS / "send_nodemailer.js"], MODULES / "nodemailer",
                    {"NODE_PATH": str(MODULES)})


def qqmail(lua):
    build = rigs.ROOT / "build" / lua
    return Client(f"qqmail, {lua}", [lua, PEERS / "send_qqmail.lua"], build,
                  rigs.lua_environment(build))


def luasocket(lua):
    return Client("LuaSocket", [lua, PEERS / "send_luasocket.lua"], PEERS)


def peer_rows(lua, **settings):
    """Those that are not ours, each with the same settings."""
    peers = [Row(client.name, client, settings)
             for client in (CURL, GO, SMTPLIB, NODEMAILER, luasocket(lua))]
    return peers + [Row("LuaSocket, NODELAY", luasocket(lua), {**settings, "NODELAY": True})]


def word(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def run_client(rig, row, settings, seconds):
    """What a client says, and the CPU time and memory it takes."""
    client = row.client
    if not client.needs.exists():
        raise rigs.ClientError(f"{client.needs.name} is missing")
    env = {name: word(value) for name, value in {**settings, **row.settings}.items()}
    said = rig.run_client([rigs.BIN / "launch", 1, *client.command], {**client.env, **env},
                          START + seconds)
    return rigs.parse_fields(said)


def settings_for(rig, port, tls):
    """Those that all clients have to know."""
    return {"PORT": port, "TLS": tls, "CA": rig.root / "certs/ca.pem",
            "TEXT": PEERS / "notice.txt", "HTML": PEERS / "notice.html"}


def try_each(rows, run):
    """What a run of each row is like that can send at all; the reasons of the
    others are printed."""
    samples = {}
    for row in rows:
        try:
            samples[row.name] = run(row)
        except rigs.ClientError as error:
            print(f"left out: {row.name}: {error}")
    return samples


class Bench:
    """A sink, perhaps at the end of a long line, and what is sent to it."""

    def __init__(self, rig, tls, *sink_options, delay_ms=0):
        self.rig = rig
        mode = "plain" if tls == "none" else "implicit"
        self.sink = rigs.Sink(rig, "--mode", mode, "--chunking", *sink_options)
        self.link = rigs.Link(rig, self.sink.port, delay_ms) if delay_ms else None
        self.alone = {}  # of each row: the CPU time of a run that counts no mail
        self.settings = settings_for(rig, (self.link or self.sink).port, tls)

    def stop(self):
        for part in (self.link, self.sink):
            if part:
                self.rig.stop(part)

    def run(self, row, mails, seconds):
        """What the client says and takes, and what the sink has seen of it."""
        before, server_cpu = self.sink.counts(), rigs.cpu_seconds(self.sink.process.pid)
        sample = run_client(self.rig, row, {**self.settings, "MAILS": mails}, seconds)
        sample["server_cpu"] = rigs.cpu_seconds(self.sink.process.pid) - server_cpu
        for name, value in self.sink.counts().items():
            sample[name] = value - before[name]
        sample["failed"] = mails - sample["sent"] + abs(
            sample["sent"] + WARMING - sample["mails"])
        return sample

    def usable(self, rows):
        tried = try_each(rows, lambda row: self.run(row, 0, 0))
        self.alone = {name: sample["cpu_ms"] for name, sample in tried.items()}
        return [row for row in rows if row.name in tried]

    def measure(self, row, mails, seconds):
        try:
            sample = self.run(row, mails, seconds)
        except rigs.ClientError as error:
            raise rigs.RigError(f"{row.name}: {error}") from None
        sample["rate"] = sample["shown"] = mails / sample["seconds"]
        sample["cpu_us"] = (sample["cpu_ms"] - self.alone[row.name]) / mails * 1000
        taken = max(sample["mails"], 1)
        sample["server_us"] = sample["server_cpu"] / taken * 1e6
        sample["size"] = sample["bytes"] / taken
        sample["rss_mib"] = sample["rss_kib"] / 1024
        return sample

    def calibrate(self, row, seconds, least):
        """How many mails take the client so long: at first as few as `least`,
        then more, until they take a good part of it."""
        mails = least
        while True:
            taken = max(self.measure(row, mails, 60)["seconds"], 1e-4)
            if taken >= seconds / 4:
                return max(least, round(mails * seconds / taken))
            mails = min(mails * 16, round(mails * seconds / 2 / taken) + 1)


    def timed_rounds(self, rows, options, least):
        """Rounds of measurements that take about the same time each."""
        mails = {row.name: self.calibrate(row, options.seconds, least) for row in rows}
        return interleaved(rows, options.rounds, lambda row: self.measure(
            row, mails[row.name], 60 + 10 * options.seconds))


def run_sections(options, run_section):
    with rigs.Rig(not options.no_pin) as rig:
        sound = [run_section(rig, options, section) for section in options.only]
    if not all(sound):
        raise rigs.RigError("mails failed")


def best_peer(rows, results):
    """The fastest of the others, by its median."""
    rates = {row.name: median(results[row.name], "rate") for row in rows
             if row.client != LIMIT and not row.client.name.startswith("qqmail")}
    return max(rates, key=rates.get, default=None)


def ratio_cell(results, name, base, field="rate"):
    """A ratio within each round; to what is not there: nothing."""
    if base not in results:
        return "-"
    return f"{ratio(results[name], results[base], field):.2f}"


def print_rates(title, rows, results, rate, columns):
    """A table of what was sent in how much time. `rate` is the heading of the
    field "shown"; `columns`: the heading of each other one, and what makes its
    cell, given the results and the row."""
    best = best_peer(rows, results)
    cells = []
    for row in rows:
        samples = results[row.name]
        low, high = spread(samples, "shown")
        cells.append([
            row.name, f"{median(samples, 'shown'):.0f}", f"{low:.0f} to {high:.0f}",
            ratio_cell(results, row.name, row.limit), ratio_cell(results, row.name, best),
            *(make(results, row.name) for _, make in columns), total_cell(samples, "failed")])
    print_table([title, rate, "low to high", "to limit", "to best peer",
                 *(heading for heading, _ in columns), "failed"], cells)
    print(f"best peer: {best}\n" if best else "no peer is there\n")


def median_cell(field, digits=1, unit=1):
    """What makes a cell of this field's median."""
    return lambda results, name: f"{median(results[name], field) / unit:.{digits}f}"


def print_target(title, results, pair, field="rate", least=None, most=None):
    """What was wanted of a ratio, and what came of it."""
    name, base = pair
    if name not in results or base not in results:
        return
    found = ratio(results[name], results[base], field)
    is_met = found >= least if most is None else found <= most
    wanted = f"at least {least}" if most is None else f"at most {most}"
    what = "" if field == "rate" else f" in {field}"
    print(f"{'met' if is_met else 'MISSED'}: {title}{name}: {found:.2f} of {base}{what};"
          f" wanted: {wanted}")


def total_cell(samples, field):
    return f"{sum(sample[field] for sample in samples):.0f}"


def is_sound(results):
    """Whether every mail has arrived."""
    return all(sample["failed"] == 0 for samples in results.values() for sample in samples)
