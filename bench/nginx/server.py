"""One nginx with the locations of the bench, and the probes that ask it."""

import http.client
import os
import pathlib
import socket
import subprocess

from rig import BIN, ROOT, Rig, RigError, cpu_seconds, parse_fields, wait_until

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.environ.get("QQMAIL_TEST_NGINX", "/usr/sbin/nginx")
MODULES = os.environ.get("QQMAIL_TEST_NGINX_MODULES", "/usr/lib/nginx/modules")
MODULE_FILES = ("ndk_http_module.so", "ngx_http_lua_module.so")


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
        return cpu_seconds(self.worker)

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


class ProbeRig(Rig):
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
