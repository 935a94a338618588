"""What an independent parser makes of messages.

usage: read_mail.py FILE...

Prints a JSON list with one object for each file. What it tells comes from
Python's email package with its modern policy, except for display names: there
that policy keeps the blank between two encoded-words, against RFC 2047 section
6.2, so they are decoded by the older functions. `compat` repeats the attachment
names as the older policy sees them.
"""

import email
import email.header
import email.policy
import email.utils
import hashlib
import json
import sys


def decoded(text):
    return str(email.header.make_header(email.header.decode_header(text)))


def addresses(message, old, name):
    field = message[name]
    if field is None:
        return []
    unfolded = old[name].replace("\r\n", "")
    pairs = [p for p in email.utils.getaddresses([unfolded]) if p[1]]
    specs = [a.addr_spec for a in field.addresses]
    if [address for _, address in pairs] != specs:
        raise ValueError("two readings of %s: %r, %r" % (name, pairs, specs))
    return [{"name": decoded(n), "address": a} for n, a in pairs]


def sender(message, old):
    if message["sender"] is None:
        return []
    one = message["sender"].address
    name, address = email.utils.parseaddr(old["sender"])
    if address != one.addr_spec:
        raise ValueError("two readings of the sender: %r, %r" % (address, one))
    return [{"name": decoded(name), "address": address}]


def structure(part):
    if not part.is_multipart():
        return part.get_content_type()
    inner = ",".join(structure(p) for p in part.iter_parts())
    return "%s(%s)" % (part.get_content_subtype(), inner)


def all_defects(part, head):
    found = [type(d).__name__ for d in part.defects]
    for name, value in head.items():
        found += ["%s: %s" % (name, type(d).__name__) for d in value.defects]
    if part.is_multipart():
        for inner in part.iter_parts():
            found += all_defects(inner, inner)
    return found


def leaf(part):
    data = part.get_payload(decode=True) or b""
    params = part["content-type"].params if part["content-type"] else {}
    facts = {
        "type": part.get_content_type(),
        "charset": params.get("charset"),
        "method": params.get("method"),
        "name": part.get_filename(),
        "type_name": params.get("name"),
        "cid": part["content-id"],
        "disposition": part.get_content_disposition(),
        "encoding": part["content-transfer-encoding"],
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    if part.get_content_maintype() == "text":
        facts["text"] = data.decode(facts["charset"] or "utf-8", "backslashreplace")
    return facts


def leaves(part):
    if part.is_multipart():
        return [one for p in part.iter_parts() for one in leaves(p)]
    return [leaf(part)]


def attached_messages(message):
    """Messages within the message, as the outer one describes them."""
    found = []
    for part in message.walk():
        if part.get_content_maintype() == "message":
            inner = part.get_payload(0)
            found.append({
                "type": part.get_content_type(),
                "name": part.get_filename(),
                "disposition": part.get_content_disposition(),
                "encoding": part["content-transfer-encoding"],
                "headers": [[name, str(value)] for name, value in inner.items()],
                "subject": inner["subject"],
                "structure": structure(inner),
                "bytes": inner.as_bytes(policy=email.policy.SMTP).decode("latin-1")
                if not inner.is_multipart() else None,
            })
    return found


def body_text(parts, kind):
    for part in parts:
        if part["type"] == kind and part["disposition"] is None:
            return part["text"]
    return None


def lines_of(data):
    head = data.split(b"\r\n\r\n", 1)[0]
    rest = data.replace(b"\r\n", b"")
    return {
        "longest": max(len(line) for line in data.split(b"\r\n")),
        "longest_header": max(len(line) for line in head.split(b"\r\n")),
        "bare": b"\r" in rest or b"\n" in rest,
        "nul": b"\0" in data,
        "ascii": all(byte < 128 for byte in data),
        "complete": data.endswith(b"\r\n"),
    }


# RFC 6532 section 3.2: a header may be UTF-8, which is read from text only.
def heads(data):
    text = data.split(b"\r\n\r\n", 1)[0].decode("utf-8", "surrogateescape")
    return [
        email.message_from_string(text + "\r\n\r\n", policy=policy)
        for policy in (email.policy.default, email.policy.compat32)
    ]


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    message = email.message_from_bytes(data, policy=email.policy.default)
    old = email.message_from_bytes(data, policy=email.policy.compat32)
    head, old_head = heads(data)
    parts = leaves(message)
    return {
        "headers": [[name, str(value)] for name, value in head.items()],
        "from": addresses(head, old_head, "from"),
        "reply_to": addresses(head, old_head, "reply-to"),
        "to": addresses(head, old_head, "to"),
        "cc": addresses(head, old_head, "cc"),
        "sender": sender(head, old_head),
        "subject": head["subject"],
        "structure": structure(message),
        "parts": parts,
        "messages": attached_messages(message),
        "text": body_text(parts, "text/plain"),
        "html": body_text(parts, "text/html"),
        "compat": [p.get_filename() for p in old.walk() if not p.is_multipart()],
        "defects": all_defects(message, head),
        "lines": lines_of(data),
        "size": len(data),
    }


json.dump([read(path) for path in sys.argv[1:]], sys.stdout)
