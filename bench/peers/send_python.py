#!/usr/bin/env python3
"""smtplib, with an EmailMessage for each mail. Settings: those of all clients."""

import email.headerregistry
import email.message
import email.utils
import os
import pathlib
import smtplib
import ssl
import time

SENDER = email.headerregistry.Address("告警中心", "bench", "example.com")
PORT = int(os.environ["PORT"])
MAILS = int(os.environ["MAILS"])
IS_TLS = os.environ.get("TLS", "none") != "none"
FILE = os.environ.get("FILE")
TEXT = pathlib.Path(os.environ["TEXT"]).read_text("utf-8")
HTML = pathlib.Path(os.environ["HTML"]).read_text("utf-8")
CONTEXT = ssl.create_default_context(cafile=os.environ["CA"]) if IS_TLS else None


def build(number):
    message = email.message.EmailMessage()
    message["From"] = SENDER
    message["To"] = "user@discard.test"
    message["Subject"] = f"磁盘告警 {number}"
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain="example.com")
    message.set_content(TEXT.replace("{n}", str(number)))
    message.add_alternative(HTML.replace("{n}", str(number)), subtype="html")
    if FILE:
        message.add_attachment(pathlib.Path(FILE).read_bytes(), maintype="application",
                               subtype="octet-stream", filename="file.bin")
    return message


def connect():
    more = {"local_hostname": "client.example", "timeout": 60}
    if IS_TLS:
        server = smtplib.SMTP_SSL("127.0.0.1", PORT, context=CONTEXT, **more)
    else:
        server = smtplib.SMTP("127.0.0.1", PORT, **more)
    server.login("u", "p")
    return server


def send_warm():
    with connect() as server:
        server.send_message(build(0))
        began = time.monotonic()
        for number in range(1, MAILS + 1):
            server.send_message(build(number))
        return time.monotonic() - began


def send_first(number):
    began = time.monotonic()
    with connect() as server:
        server.send_message(build(number))
        return time.monotonic() - began


def main():
    if os.environ.get("MODE") == "first":
        seconds = sum([send_first(number) for number in range(MAILS + 1)][1:])
    else:
        seconds = send_warm()
    print(f"seconds={seconds:.6f} sent={MAILS}")


main()
