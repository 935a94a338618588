#!/usr/bin/env python3
"""Many mails over a few connections to a slow server, and where each has gone.

    run.py [--only command,flight] [--rounds N] [--mails N] [--connections N]
           [--delay-ms N] [--lua NAME] [--no-pin]

README.md in the folder above says what the tables mean.
"""

import argparse
import pathlib
import resource
import sys

# What all measurements share lies in the folder above.
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import rig as rigs
from tables import interleaved, median, print_table, spread

DATA_COMMANDS = 4  # MAIL, RCPT, DATA, the dot
CHUNK_COMMANDS = 3  # MAIL, RCPT, BDAT LAST

ROWS = [  # name, chunking, window
    ("PIPELINING, window 0", False, 0),
    ("PIPELINING, window 1", False, 1),
    ("CHUNKING, window 0", True, 0),
    ("CHUNKING, window 1", True, 1),
    ("CHUNKING, window 8", True, 8),
]


def by_command(row):
    return CHUNK_COMMANDS if row[1] else DATA_COMMANDS


def by_flight(row):
    """A window of n: with n verdicts due another mail may follow. After DATA
    one has to wait all the same."""
    _, chunking, window = row
    if chunking:
        return 1 / (window + 1)
    return 1 if window else 2


SECTIONS = {  # name: option of the sink, waits a mail, title
    "command": ("--command-ms", by_command, "each command costs {} ms"),
    "flight": ("--delay-ms", by_flight, "{} ms for what comes together"),
}


def ideal_seconds(options, waits):
    """When the server does nothing but wait, on all connections at all times."""
    return options.mails * waits * options.delay_ms / 1000 / options.connections


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_client(rig, options, sink, row, seconds):
    words = {"port": sink.port, "tls": "none", "connections": options.connections,
             "chunking": str(row[1]).lower(), "window": row[2], "mails": options.mails}
    return rigs.parse_fields(rig.run_lua(options.lua, HERE / "client.lua", words,
                                         60 + 5 * seconds))


def discrepancies(options, sample):
    """Where the mails are not accounted for exactly once, in words."""
    wanted = {"total": options.mails, "sent": options.mails, "failed": 0, "unknown": 0,
              "once": options.mails, "twice": 0, "mails": options.mails, "ids": options.mails}
    return [f"{name} {sample[name]:.0f}, not {number}" for name, number in wanted.items()
            if sample[name] != number]


def measure(rig, options, section, row):
    """A sink of its own, so that its counts are those of this run."""
    option, waits, _ = SECTIONS[section]
    ideal = ideal_seconds(options, waits(row))
    sink = rigs.Sink(rig, "--mode", "plain", "--chunking", option, options.delay_ms)
    cpu = children_cpu()
    sample = run_client(rig, options, sink, row, ideal)
    sample["cpu_us"] = (children_cpu() - cpu) / options.mails * 1e6
    sample.update(sink.counts())
    rig.stop(sink)
    wrong = discrepancies(options, sample)
    if wrong:
        raise rigs.RigError(f"{row[0]}: {'; '.join(wrong)}")
    sample["ideal"] = ideal
    sample["ratio"] = sample["seconds"] / ideal
    waits = sample["commands" if section == "command" else "flights"]
    sample["waits"] = waits / options.mails
    sample["busy"] = waits * options.delay_ms / 1000 / options.connections / sample["seconds"]
    return sample


def table(title, results):
    cells = []
    for name, samples in results.items():
        low, high = spread(samples, "ratio")
        cells.append([
            name, f"{median(samples, 'seconds'):.2f}", f"{median(samples, 'ideal'):.2f}",
            f"{median(samples, 'ratio'):.2f}", f"{low:.2f} to {high:.2f}",
            f"{median(samples, 'mails') / median(samples, 'seconds'):.0f}",
            f"{median(samples, 'waits'):.2f}", f"{median(samples, 'busy') * 100:.0f}",
            f"{median(samples, 'connections'):.0f}",
            f"{median(samples, 'cpu_us'):.0f}"])
    print_table([title, "seconds", "ideal", "ratio", "low to high", "mails/s", "waits/mail",
                 "waiting %", "conns", "CPU us/mail"], cells)


def is_usable(rig, options, section, row):
    """Tried with a few mails; the reason, if not, is printed."""
    few = argparse.Namespace(**{**vars(options), "mails": options.connections})
    try:
        measure(rig, few, section, row)
    except rigs.ClientError as error:
        print(f"left out: {row[0]}: {error}")
        return False
    return True


def run_section(rig, options, section):
    title = SECTIONS[section][2].format(options.delay_ms)
    rows = [row for row in ROWS if is_usable(rig, options, section, row)]
    if not rows:
        return
    results = interleaved(rows, options.rounds,
                          lambda row: measure(rig, options, section, row))
    table(title, results)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each section")
    parser.add_argument("--mails", type=int, default=10000, help="mails of each measurement")
    parser.add_argument("--connections", type=int, default=10, help="of the mailer's pool")
    parser.add_argument("--delay-ms", type=int, default=5, help="of the server")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter, and its build")
    parser.add_argument("--no-pin", action="store_true", help="let all share the CPUs")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    for value in (options.rounds, options.mails, options.connections, options.delay_ms):
        if not 1 <= value <= 1000000:
            parser.error("numbers are 1 to 1000000")
    return options


def main():
    options = parse_options()
    sys.stdout.reconfigure(line_buffering=True)
    print(f"{options.mails} mails over {options.connections} connections, plain;"
          f" {options.lua}; medians of {options.rounds} rounds")
    try:
        with rigs.Rig(not options.no_pin) as rig:
            for section in options.only:
                run_section(rig, options, section)
    except (rigs.RigError, rigs.ClientError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
