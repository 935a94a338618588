#!/usr/bin/env python3
"""The same with smtplib: one connection, sendmail() in a loop.

    smtplib_client.py PORT TLS CA FILE MAILS
"""

import pathlib
import smtplib
import ssl
import sys
import time

SENDER = "bench@example.com"
RECIPIENT = "user@discard.test"


def connect(port, tls, authority):
    if tls == "none":
        return smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=60)
    context = ssl.create_default_context(cafile=authority)
    return smtplib.SMTP_SSL("127.0.0.1", port, local_hostname="client.example", timeout=60,
                            context=context)


def main():
    port, tls, authority, file, mails = sys.argv[1:]
    message = pathlib.Path(file).read_bytes()
    with connect(int(port), tls, authority) as server:
        server.login("u", "p")
        server.sendmail(SENDER, RECIPIENT, message)
        began = time.monotonic()
        for _ in range(int(mails)):
            server.sendmail(SENDER, RECIPIENT, message)
        print(f"seconds={time.monotonic() - began:.6f} sent={mails}")


main()
