#!/usr/bin/env python3
"""Python's email: a message with the file FILE, written to OUT."""

import email.policy
import os
import pathlib
import time
from email.generator import BytesGenerator
from email.message import EmailMessage


def make(file):
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = "通知 <notify@bench.example>"
    message["To"] = "user@bench.example"
    message["Subject"] = "磁盘告警"
    message.set_content("磁盘空间不足，日志见附件。\n")
    message.add_attachment(pathlib.Path(file).read_bytes(), maintype="application",
                           subtype="octet-stream", filename="日志.bin")
    return message


def main():
    began = time.monotonic()
    with open(os.environ["OUT"], "wb") as out:
        BytesGenerator(out).flatten(make(os.environ["FILE"]))
    print(f"seconds={time.monotonic() - began:.6f}")


main()
