"""What a run consists of: certificates, sinks, a long line, clients.

Everything lives in one temporary directory and is stopped by its own process
id when the `with` block ends, also after Ctrl-C or SIGTERM. Should this
process be killed outright, the kernel stops its children.
"""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
BIN = ROOT / "build" / "bench"
PATIENCE = 10  # seconds for what happens at once when all is well

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class RigError(Exception):
    """Something did not start, or broke down."""


class ClientError(Exception):
    """A client could not do what it was told; the text says why."""


def parse_fields(line):
    """The numbers of a line such as "n=2000 p50_ms=0.4"."""
    return {name: float(value) for name, value in (word.split("=") for word in line.split())}


def run(main):
    """Runs a section; what stops it is said in one line."""
    sys.stdout.reconfigure(line_buffering=True)
    try:
        main()
    except (RigError, ClientError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RigError(f"{what}: not in {PATIENCE} seconds")
        time.sleep(0.005)


def split_cpus(is_pinned):
    """The CPUs of the worker and those of everybody else: a worker that shares
    its own with the sink would measure the scheduler."""
    cpus = sorted(os.sched_getaffinity(0))
    if not is_pinned or len(cpus) < 2:
        return None, set(cpus)
    return cpus[0], set(cpus[1:])


def read_port(process, what):
    """The port of a line such as "listening 127.0.0.1:2525"."""
    words = process.stdout.readline().split()
    if len(words) != 2:
        raise RigError(f"the {what} did not start")
    return int(words[1].rpartition(":")[2])


def lua_environment(build):
    """Where Lua finds the library of one build, and the modules of the bench."""
    lua = ROOT / "lua"
    return {"LUA_PATH": f"{lua}/?.lua;{lua}/?/init.lua;{BENCH}/?.lua",
            "LUA_CPATH": f"{build}/?.so", "QQMAIL_LANG": "en"}


def cpu_seconds(pid):
    """CPU time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Sink:
    def __init__(self, rig, *options):
        self.process = rig.start([BIN / "sink", "--listen", "127.0.0.1:0", "--auth",
                                  "--cert", rig.root / "certs/server.pem",
                                  "--key", rig.root / "certs/server.key", *options])
        self.port = read_port(self.process, "sink")

    def counts(self):
        self.process.send_signal(signal.SIGUSR1)
        return parse_fields(self.process.stdout.readline())


class Link:
    """A long line to a port."""

    def __init__(self, rig, port, delay_ms):
        self.rig = rig
        self.process = rig.start([BIN / "link", "--listen", "127.0.0.1:0",
                                  "--connect", f"127.0.0.1:{port}", "--delay-ms", delay_ms])
        self.port = read_port(self.process, "link")

    def end(self):
        """What it has counted, for each connection."""
        self.process.terminate()
        lines = self.process.stdout.read().splitlines()
        self.rig.stop(self)
        return [json.loads(line) for line in lines]


class Rig:
    def __init__(self, is_pinned=True):
        self.worker_cpu, self.other_cpus = split_cpus(is_pinned)
        self.processes = []
        self.root = None

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="qqmail-bench-"))
        try:
            subprocess.run([ROOT / "bench/certs.sh", self.root / "certs"], check=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # A second Ctrl-C must not leave the rest behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for process in reversed(self.processes):
            self._end(process)
        shutil.rmtree(self.root, ignore_errors=True)

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def start(self, command, cpus=None, env=None, **more):
        """A process with a pipe from its output; a session of its own keeps
        Ctrl-C for us alone, who then stop it."""
        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.sched_setaffinity(0, cpus or self.other_cpus)

        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, cwd=self.root,
                                   env={"PATH": os.defpath, **(env or {})},
                                   start_new_session=True, preexec_fn=prepare, **more)
        self.processes.append(process)
        return process

    def run_client(self, command, env, seconds):
        """What a client prints that has a CPU of its own and so many seconds."""
        cpus = None if self.worker_cpu is None else {self.worker_cpu}
        process = self.start(command, cpus, env, stderr=subprocess.PIPE)
        try:
            output, reasons = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ClientError(f"not in {seconds} seconds") from None
        finally:
            self._end(process)
            self.processes.remove(process)
        if process.returncode != 0:
            last = (reasons.strip().splitlines() or ["no reason"])[-1]
            raise ClientError(f"ended with {process.returncode}: {last}")
        return output

    def run_lua(self, lua, script, settings, seconds, before=()):
        """What a Lua script prints that is given the library and NAME=VALUE words;
        `before`: a command that starts it."""
        words = [f"{name}={value}" for name, value in settings.items()]
        return self.run_client([*before, lua, script, *words],
                               lua_environment(ROOT / "build" / lua), seconds)

    def stop(self, part):
        """Ends a sink, a link or an nginx before the rig ends."""
        self._end(part.process)
        self.processes.remove(part.process)
