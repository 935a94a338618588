"""The clients that are measured. Each sends one mail that makes the connection
warm and then so many more, and answers {"seconds", "sent"} of those.
"""

import pathlib
import platform
import subprocess
import sys

import rig as rigs

HERE = pathlib.Path(__file__).resolve().parent

# Of the size that the Lua client's mails have.
MAIL = ("From: bench@example.com\r\nTo: user@discard.test\r\nMessage-ID: <peer@example.com>\r\n"
        "Subject: notice\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
        + "The disk of the server is nearly full, as it was before.\r\n" * 24)

# Lines for one transfer; curl keeps the connection from one to the next.
CURL = """url = "{scheme}://127.0.0.1:{port}/client.example"
user = "u:p"
cacert = "{authority}"
mail-from = "bench@example.com"
mail-rcpt = "user@discard.test"
upload-file = "{file}"
write-out = "%{{exitcode}} %{{time_total}}\\n"
"""


def versions():
    first = subprocess.run(["curl", "--version"], stdout=subprocess.PIPE, text=True, check=False)
    return f"Python {platform.python_version()}, {' '.join(first.stdout.split()[:2])}"


def authority(bench):
    return bench.rig.root / "certs/ca.pem"


def mail_file(bench):
    file = bench.rig.root / "mail.eml"
    file.write_bytes(MAIL.encode())
    return file


def run(bench, command, mails):
    return bench.rig.run_client(command, None, bench.patience(mails))


def qqmail(bench, port, settings, mails):
    words = {"port": port, "tls": bench.tls, "ca": authority(bench), "mails": mails, **settings}
    return rigs.parse_fields(bench.rig.run_lua(bench.options.lua, HERE / "client.lua", words,
                                               bench.patience(mails)))


def smtplib(bench, port, _, mails):
    command = [sys.executable, HERE / "smtplib_client.py", port, bench.tls, authority(bench),
               mail_file(bench), mails]
    return rigs.parse_fields(run(bench, command, mails))


def curl(bench, port, _, mails):
    """Its clock is its own: the sum over the transfers behind the first."""
    transfer = CURL.format(scheme="smtp" if bench.tls == "none" else "smtps", port=port,
                           authority=authority(bench), file=mail_file(bench))
    config = bench.rig.root / "curl.conf"
    config.write_text("next\n".join([transfer] * (mails + 1)))
    lines = run(bench, ["curl", "-q", "-sS", "-K", config], mails).splitlines()
    results = [line.split() for line in lines[1:]]
    return {"seconds": sum(float(seconds) for _, seconds in results),
            "sent": sum(code == "0" for code, _ in results)}
