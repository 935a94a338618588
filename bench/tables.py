"""Rounds in which the cases take turns, and the tables made of them."""

import math
import statistics
import sys


def progress(text):
    print(text, end="", file=sys.stderr, flush=True)


def print_table(head, rows):
    """Markdown, so that a result can be kept as it is."""
    table = [head] + rows
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    table.insert(1, ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]])
    for row in table:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("| " + " | ".join([row[0].ljust(widths[0])] + cells) + " |")
    print()


def interleaved(rows, rounds, measure):
    """Every row once a round, each round beginning with another one."""
    results = {row[0]: [] for row in rows}
    for number in range(rounds):
        start = number % len(rows)
        for row in rows[start:] + rows[:start]:
            results[row[0]].append(measure(row))
            progress(".")
    progress("\n")
    return results


def median(samples, field):
    return statistics.median(sample[field] for sample in samples)


def spread(samples, field):
    """The lowest and the highest."""
    values = [sample[field] for sample in samples]
    return min(values), max(values)


def ratio(samples, base, field):
    """The median of the ratios within each round: what disturbs a whole round
    cancels out."""
    pairs = [(one[field], other[field]) for one, other in zip(samples, base)]
    return statistics.median(one / other if other > 0 else math.nan for one, other in pairs)
