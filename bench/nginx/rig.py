"""What a run consists of: certificates, sinks, one nginx, probes.

Everything lives in one temporary directory and is stopped by its own process
id when the `with` block ends, also after Ctrl-C or SIGTERM. Should this
process be killed outright, the kernel stops its children.
"""

import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = ROOT / "build" / "bench"
PROGRAM = os.environ.get("QQMAIL_TEST_NGINX", "/usr/sbin/nginx")
MODULES = os.environ.get("QQMAIL_TEST_NGINX_MODULES", "/usr/lib/nginx/modules")
MODULE_FILES = ("ndk_http_module.so", "ngx_http_lua_module.so")
PATIENCE = 10  # seconds for what happens at once when all is well

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class RigError(Exception):
    """Something did not start, or broke down."""


def parse_fields(line):
    """The numbers of a line such as "n=2000 p50_ms=0.4"."""
    return {name: float(value) for name, value in (word.split("=") for word in line.split())}


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


class Sink:
    def __init__(self, rig, *options):
        self.process = rig.start([BIN / "sink", "--listen", "127.0.0.1:0", "--auth",
                                  "--cert", rig.root / "certs/server.pem",
                                  "--key", rig.root / "certs/server.key", *options])
        words = self.process.stdout.readline().split()
        if len(words) != 2:
            raise RigError("the sink did not start")
        self.port = int(words[1].rpartition(":")[2])

    def counts(self):
        self.process.send_signal(signal.SIGUSR1)
        return parse_fields(self.process.stdout.readline())


class Connection(http.client.HTTPConnection):
    """HTTP over the unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Nginx:
    def __init__(self, rig, build):
        self.log = rig.root / "error.log"
        self.socket = rig.root / "http.sock"
        self.socket.unlink(missing_ok=True)
        configuration = rig.root / "nginx.conf"
        configuration.write_text(self._configuration(rig, build))
        self.process = rig.start([PROGRAM, "-p", f"{rig.root}/", "-c", configuration,
                                  "-e", self.log])
        wait_until(self._is_up, "nginx")
        self.worker = int(self.get("/worker")[1])

    @staticmethod
    def _configuration(rig, build):
        version = subprocess.run([PROGRAM, "-V"], stderr=subprocess.PIPE, text=True, check=True)
        has_lua = "lua-nginx-module" in version.stderr  # as OpenResty has
        words = {
            "LOAD_MODULES": "" if has_lua else "\n".join(
                f"load_module {MODULES}/{name};" for name in MODULE_FILES),
            "USER": "user root;" if os.getuid() == 0 else "",
            "AFFINITY": "" if rig.worker_cpu is None else
                        f"worker_cpu_affinity {1 << rig.worker_cpu:b};",
            "PREFIX": str(rig.root), "ROOT": str(ROOT), "BUILD": str(build),
        }
        text = (HERE / "nginx.conf").read_text()
        for name, value in words.items():
            text = text.replace(f"@{name}@", value)
        return text

    def _is_up(self):
        if self.process.poll() is not None:
            raise RigError("nginx did not start:\n" + self.log.read_text())
        try:
            return self.get("/ping")[0] == 200
        except OSError:
            return False

    def get(self, path):
        connection = Connection(self.socket)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace").strip()
        finally:
            connection.close()

    def cpu_seconds(self):
        """CPU time of the worker so far."""
        fields = pathlib.Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, field):
        """A field of /proc/PID/status of the worker, in bytes."""
        for line in pathlib.Path(f"/proc/{self.worker}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise RigError(f"no {field} in /proc/{self.worker}/status")

    def faults(self):
        """What no run may leave in the log."""
        marks = ("[alert]", "[crit]", "[emerg]", "exited on signal")
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(mark in line for mark in marks)]


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

    def start(self, command):
        """A process with a pipe from its output; a session of its own keeps
        Ctrl-C for us alone, who then stop it."""
        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.sched_setaffinity(0, self.other_cpus)

        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, cwd=self.root,
                                   env={"PATH": os.defpath}, start_new_session=True,
                                   preexec_fn=prepare)
        self.processes.append(process)
        return process

    def stop(self, part):
        """Ends a sink or an nginx before the rig ends."""
        self._end(part.process)
        self.processes.remove(part.process)

    def start_probe(self, nginx, path, seconds, *options):
        return self.start([BIN / "probe", "--connect", f"unix:{nginx.socket}", "--path", path,
                           "--seconds", seconds, *options])

    def read_probe(self, process):
        line = process.stdout.read()
        if process.wait() != 0:
            raise RigError("a probe failed; its reason is above")
        self.processes.remove(process)
        process.stdout.close()
        return parse_fields(line)
