"""Chinese strings of real programs, in the charsets of their readers.

charset_strings.py LENGTHS COUNT [FOLDER]
    lines of "part set length hex" for charset_table.lua
charset_strings.py --bits
    the table of csrc/codec/qm_chinese.c

The strings come from the message catalogues of this system. Those whose name has
an even checksum have made the table: they are the part "tuned". The others, without
the strings that the first ones hold too, are "held out", and so are those of FOLDER
(FOLDER/zh_CN and zh_TW, at any depth below): catalogues of packages that are not
installed, say.
"""
import collections
import gettext
import glob
import os
import random
import re
import sys
import zlib

SYSTEM = "/usr/share/locale"
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


def is_tuned(path):
    return zlib.crc32(os.path.basename(path).encode()) % 2 == 0


def catalogues(place):
    return sorted(glob.glob("%s/%s/LC_MESSAGES/*.mo" % (SYSTEM, place)))


def folder_catalogues(folder, place):
    return sorted(glob.glob("%s/**/%s/**/*.mo" % (folder, place), recursive=True))


def runs(paths):
    found = set()
    for path in paths:
        with open(path, "rb") as file:
            catalogue = gettext.GNUTranslations(file)
        for text in catalogue._catalog.values():
            found.update(RUN.findall(text if isinstance(text, str) else ""))
    return found


def tuned(place):
    return runs(path for path in catalogues(place) if is_tuned(path))


def encodable(texts, charset):
    for text in sorted(texts):
        try:
            text.encode(charset)
        except UnicodeEncodeError:
            continue
        yield text


def parts(place, folder):
    known = tuned(place)
    yield "tuned", known
    yield "held out", runs(path for path in catalogues(place) if not is_tuned(path)) - known
    if folder:
        yield "folder", runs(folder_catalogues(folder, place)) - known


def cut(texts, length):
    for text in texts:
        for at in range(0, len(text) - length + 1, length):
            piece = text[at:at + length]
            if re.search(CHINESE, piece):
                yield piece


def print_strings(lengths, count, folder):
    chance = random.Random(1)
    for name, place, charset in SETS:
        for part, found in parts(place, folder):
            texts = list(encodable(found, charset))
            for length in lengths:
                pieces = list(cut(texts, length))
                for piece in chance.sample(pieces, min(count, len(pieces))):
                    print("\t".join((part, name, str(length), piece.encode(charset).hex())))


def pairs(place, charset):
    found = collections.Counter()
    for run in encodable(tuned(place), charset):
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
    print_strings([int(word) for word in sys.argv[1].split(",")], int(sys.argv[2]),
                  sys.argv[3] if len(sys.argv) > 3 else None)
