#!/usr/bin/env python3
"""Prints a mail as any reader sees it, and compares its files with originals.

    show_mail.py MESSAGE [ORIGINAL...]

Exits 1 when a part has a defect, or an original did not arrive byte for byte.
"""
import email
import email.policy
import os
import sys


def walk(part, depth, found, defects):
    defects.extend(part.defects)
    name = part.get_filename()
    line = "  " * depth + part.get_content_type()
    if part.is_multipart():
        print("  " + line)
        for child in part.iter_parts():
            walk(child, depth + 1, found, defects)
        return
    payload = part.get_payload(decode=True)
    notes = [part["Content-Transfer-Encoding"] or "7bit", f"{len(payload)} bytes"]
    if part["Content-ID"]:
        notes.append("cid " + part["Content-ID"].strip("<>"))
    if name:
        notes.append(name)
        found[name] = payload
    print(f"  {line}  ({', '.join(str(note) for note in notes)})")
    if part.get_content_maintype() == "text" and not name:
        for text in part.get_content().splitlines():
            print("  " + "  " * depth + "  | " + text)


def compare(path, found):
    name = os.path.basename(path)
    with open(path, "rb") as file:
        same = found.get(name) == file.read()
    print(f"  {name}: {'identical to what was sent' if same else 'DIFFERS'}")
    return same


def main():
    with open(sys.argv[1], "rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    print("arrived")
    for field in ("From", "To", "Subject", "Date", "Message-ID"):
        print(f"  {field}: {message[field]}")
    received = str(message["Received"])
    print("  Received: " + " ".join(received.split()))
    found, defects = {}, list(message.defects)
    walk(message, 0, found, defects)
    same = [compare(path, found) for path in sys.argv[2:]]
    for defect in defects:
        print(f"  defect: {defect!r}")
    return 0 if all(same) and not defects else 1


if __name__ == "__main__":
    sys.exit(main())
