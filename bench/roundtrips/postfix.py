"""A private Postfix, the one of the specs, for as long as a `with` block."""

import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile

from rig import ROOT, RigError, parse_fields

SCRIPT = ROOT / "spec/support/postfix.sh"
PORTS = 8  # from its first one on
MEMORY = pathlib.Path("/dev/shm")


def missing():
    """Why it cannot run here; empty when it can."""
    done = subprocess.run([SCRIPT, "check"], stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.strip()


def version():
    done = subprocess.run(["postconf", "-dh", "mail_version"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False)
    return done.stdout.strip()


def are_free(base):
    for port in range(base, base + PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def find_base():
    """Below the ports that the system gives to clients."""
    for _ in range(100):
        base = random.randrange(2000, 3200) * 10
        if are_free(base):
            return base
    raise RigError("no free ports for Postfix")


def make_root():
    """In memory where there is room for it: the disk is not the matter."""
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    return pathlib.Path(tempfile.mkdtemp(prefix="qqmail-postfix-", dir=parent))


class Postfix:
    def __init__(self, rig):
        self.rig = rig
        self.root = make_root()
        # Stops the servers and removes the root when our end of its input is
        # closed, and so whatever becomes of this process.
        self.watcher = subprocess.Popen([SCRIPT, "watch", self.root], stdin=subprocess.PIPE,
                                        start_new_session=True)
        try:
            self.ports = self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        certs = self.rig.root / "postfix-certs"
        certs.mkdir(exist_ok=True)
        for suffix in ("pem", "key"):
            shutil.copy(self.rig.root / f"certs/server.{suffix}", certs / f"good.{suffix}")
        done = subprocess.run(
            [SCRIPT, "start", self.root, certs, str(find_base())], stdout=subprocess.PIPE,
            text=True, check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, self.rig.other_cpus))
        if done.returncode != 0:
            raise RigError("Postfix did not start; its reason is above")
        words = [word for word in done.stdout.split() if not word.startswith("ROOT=")]
        return parse_fields(" ".join(words))

    def port(self, tls):
        """The one that takes a login in clear, or that of implicit TLS."""
        return int(self.ports["PLAIN" if tls == "none" else "SMTPS"])

    def stop(self):
        self.watcher.stdin.close()
        self.watcher.wait()
