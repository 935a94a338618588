"""Servers of a broken world that speak something else than SMTP.

Reads what to serve from a file, one item a line, fields separated by tabs:

    dns ADDRESS answer|nxdomain|servfail|never
    name NAME ADDRESS...                what "answer" knows
    http ADDRESS PORT
    old_tls ADDRESS PORT CERT KEY       TLS 1.1 at most

Says "ready" once all of them listen, and serves until it is killed.
"""

import ipaddress
import os
import socket
import ssl
import sys
import threading
import warnings

RCODES = {"servfail": 2, "nxdomain": 3}
A, AAAA = 1, 28


def question_of(query):
    """The name, the type and the bytes of the question (RFC 1035 section 4.1.2)."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    kind = int.from_bytes(query[at + 1:at + 3], "big")
    return ".".join(labels).lower(), kind, query[12:at + 5]


def records_of(addresses, kind):
    out = []
    for address in map(ipaddress.ip_address, addresses):
        if kind == (A if address.version == 4 else AAAA):
            data = address.packed
            # A pointer to the name in the question, class IN, a minute to live.
            out.append(b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1" + (60).to_bytes(4, "big")
                       + len(data).to_bytes(2, "big") + data)
    return out


def answer_to(query, mode, names):
    name, kind, question = question_of(query)
    known = names.get(name)
    rcode = RCODES.get(mode, 0 if known is not None else RCODES["nxdomain"])
    records = records_of(known or [], kind) if rcode == 0 else []
    # QR, RD, RA
    flags = 0x8180 | rcode
    head = query[:2] + flags.to_bytes(2, "big") + b"\0\1" + len(records).to_bytes(2, "big")
    return head + b"\0\0\0\0" + question + b"".join(records)


def serve_names(sock, mode, names):
    while True:
        query, peer = sock.recvfrom(512)
        if mode != "never":
            sock.sendto(answer_to(query, mode, names), peer)


def serve_each(listener, serve):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


REFUSAL = (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\n"
           b"Connection: close\r\n\r\n<html><body>400 Bad Request</body></html>\r\n")


def serve_http(client):
    """Waits for the client to speak, as web servers do; nothing is a good request."""
    with client:
        try:
            if client.recv(4096):
                client.sendall(REFUSAL)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
        except ConnectionError:
            pass  # the client need not stay for the answer


def old_tls_context(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    # Debian's OpenSSL refuses these versions above level 0.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def serve_old_tls(context, client):
    try:
        with context.wrap_socket(client, server_side=True) as stream:
            stream.sendall(b"220 old.test ESMTP\r\n")
            while stream.recv(4096):
                stream.sendall(b"502 5.5.1 no\r\n")
    except (ssl.SSLError, ConnectionError):
        pass  # which is what the spec is about


def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, int(port)), family=family)


def start(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()


def main(path):
    names = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "name":
                names[fields[0].lower()] = [field for field in fields[1:] if field]
            elif kind == "dns":
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sock.bind((fields[0], 53))
                start(serve_names, sock, fields[1], names)
            elif kind == "http":
                start(serve_each, listen(*fields[:2]), serve_http)
            elif kind == "old_tls":
                context = old_tls_context(*fields[2:])
                start(serve_each, listen(*fields[:2]),
                      lambda client, context=context: serve_old_tls(context, client))
            else:
                sys.exit("unknown kind: " + kind)
    print("ready", flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    threading.Event().wait()


main(sys.argv[1])
