"""What dkimpy makes of DKIM signatures.

usage: verify_dkim.py RECORDS FILE...

RECORDS: lines of a name in DNS, a tab and the text found there. Prints a line for each
signature of each file: number of the file, number of the signature, "pass" or "fail",
the domain and why, with tabs between.
"""

import sys

import dkim


def read_records(path):
    records = {}
    with open(path, "rb") as file:
        for line in file.read().splitlines():
            name, text = line.split(b"\t", 1)
            records[name] = text
    return records


def judge(message, index, records):
    def lookup(name, timeout=5):
        return records.get(name.rstrip(b"."))

    verifier = dkim.DKIM(message, minkey=1024)
    try:
        passed = verifier.verify(idx=index, dnsfunc=lookup)
        why = "" if passed else "signature does not fit"
    except dkim.DKIMException as error:
        passed, why = False, str(error)
    domain = (verifier.domain or b"").decode("ascii", "replace")
    return "pass" if passed else "fail", domain, why.replace("\n", " ").replace("\t", " ")


def main(records_path, *paths):
    records = read_records(records_path)
    for number, path in enumerate(paths, 1):
        with open(path, "rb") as file:
            message = file.read()
        fields = dkim.rfc822_parse(message)[0]
        count = sum(1 for name, _ in fields if name.lower() == b"dkim-signature")
        for index in range(count):
            print(number, index + 1, *judge(message, index, records), sep="\t")


main(*sys.argv[1:])
