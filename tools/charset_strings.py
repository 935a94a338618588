"""Chinese strings of real programs, in the charsets of their readers.

charset_strings.py LENGTHS COUNT   lines of "set length hex" for charset_table.lua
charset_strings.py --bits          the table of csrc/codec/qm_chinese.c

The strings come from the message catalogues of this system. Those whose name has
an even checksum have made the table; only the others are measured.
"""
import collections
import gettext
import glob
import os
import random
import re
import sys
import zlib

CHINESE = "[\u4e00-\u9fff]"
RUN = re.compile("[\u4e00-\u9fff\u3000-\u303f\uff01-\uff5e]+")
LEADS = range(0xB0, 0xC7)
TRAILS = range(0xA1, 0xFF)
# name, catalogues, charset as Python knows it
SETS = (("simplified as GB18030", "zh_CN", "gb18030"),
        ("traditional as Big5", "zh_TW", "big5"),
        ("traditional as GB18030", "zh_TW", "gb18030"),
        ("simplified as UTF-8", "zh_CN", "utf-8"),
        ("traditional as UTF-8", "zh_TW", "utf-8"))


def catalogues(place, parity):
    pattern = "/usr/share/locale/%s/LC_MESSAGES/*.mo" % place
    for path in sorted(glob.glob(pattern)):
        if zlib.crc32(os.path.basename(path).encode()) % 2 == parity:
            with open(path, "rb") as file:
                yield gettext.GNUTranslations(file)


def runs(place, charset, parity):
    found = set()
    for catalogue in catalogues(place, parity):
        for text in catalogue._catalog.values():
            found.update(RUN.findall(text if isinstance(text, str) else ""))
    for run in sorted(found):
        try:
            run.encode(charset)
        except UnicodeEncodeError:
            continue
        yield run


def cut(texts, length):
    for text in texts:
        for at in range(0, len(text) - length + 1, length):
            piece = text[at:at + length]
            if re.search(CHINESE, piece):
                yield piece


def print_strings(lengths, count):
    chance = random.Random(1)
    for name, place, charset in SETS:
        texts = list(runs(place, charset, 1))
        for length in lengths:
            pieces = list(cut(texts, length))
            for piece in chance.sample(pieces, min(count, len(pieces))):
                print("%s\t%d\t%s" % (name, length, piece.encode(charset).hex()))


def pairs(place, charset):
    found = collections.Counter()
    for run in runs(place, charset, 0):
        data = run.encode(charset)
        for at in range(0, len(data) - 1, 2):
            if data[at] in LEADS and data[at + 1] in TRAILS:
                found[data[at], data[at + 1]] += 1
    return found


def print_bits():
    mainland = pairs("zh_CN", "gb18030") + pairs("zh_TW", "gb18030")
    taiwan = pairs("zh_TW", "big5")
    for lead in LEADS:
        row = [0] * 12
        for trail in TRAILS:
            pair = (lead, trail)
            if taiwan[pair] > 2 * mainland[pair] + 1:
                row[(trail - 0xA1) // 8] |= 1 << (trail - 0xA1) % 8
        print("    { " + ", ".join("0x%02x" % byte for byte in row) + " },")


if sys.argv[1] == "--bits":
    print_bits()
else:
    print_strings([int(word) for word in sys.argv[1].split(",")], int(sys.argv[2]))
