"""The options that sections have in common."""

import argparse


def make_parser(doc, sections, rounds):
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--only", default=",".join(sections), help="sections, with commas")
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds of each section")
    parser.add_argument("--rows", default="", help="only the rows with this in their name")
    parser.add_argument("--no-pin", action="store_true", help="let all share the CPUs")
    parser.set_defaults(sections=sections)
    return parser


def make_timed_parser(doc, sections, rounds=5):
    """For measurements of so many seconds, under several interpreters."""
    parser = make_parser(doc, sections, rounds)
    parser.add_argument("--seconds", type=float, default=1, help="length of a measurement")
    parser.add_argument("--luas", type=lambda text: text.split(","), default=["luajit", "lua5.4"],
                        help="interpreters, with commas, and their builds")
    return parser


def parse(parser):
    """With `only` as a list; ends the program when something is out of range."""
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(options.sections)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    for name, value in vars(options).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not 0 < value <= 1000000:
                parser.error(f"--{name.replace('_', '-')} is above 0 and at most 1000000")
    return options
