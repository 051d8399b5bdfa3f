"""The results' file: written whenever something new is known, so that a run can be taken up again.

Beside what the reports read, its part `runner` says of each point with which settings and servers
it was measured, and which servers failed and why."""
import datetime
import hashlib
import json
import os
import platform
import re
import subprocess

from . import figures


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True)
    return {"cpu": model[1] if model else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "compiler": compiler.stdout.splitlines()[0],
            "date": datetime.date.today().isoformat()}


def key_of(program, rounds, seconds, reference):
    """What must be the same for results to count as had already."""
    with open(program, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:12]
    return f"weir-serve {digest}, {rounds} rounds, {seconds:g} s, against {reference}"


class Store:
    """What is known so far."""

    def __init__(self, path, key):
        self.path, self.key = path, key
        try:
            with open(path, encoding="utf-8") as file:
                self.results = json.load(file)
        except FileNotFoundError:
            self.results = {}
        for part in ("points", "runner"):
            self.results.setdefault(part, {})

    def missing(self, name, servers):
        """Those of the servers that were not measured there, with this key."""
        record = self.results["runner"].get(name, {})
        done = record.get("servers", []) if record.get("key") == self.key else []
        return [server for server in servers if server not in done]

    def note(self, name, servers, failed):
        """Servers that count as measured, and why those failed that did."""
        record = self.results["runner"].get(name)
        if not record or record["key"] != self.key:
            record = {"key": self.key, "servers": [], "failed": {}}
        for server in servers:
            record["failed"].pop(server, None)
        record["failed"].update(failed)
        record["servers"] = sorted({*record["servers"], *servers})
        self.results["runner"][name] = record

    def put_point(self, name, point, servers, failed):
        """A point's servers ran interleaved: it replaces the one that was there as a whole. One
        that failed is not tried again as long as the others, weir among them, do not."""
        self.results["points"][name] = point
        self.results["runner"].pop(name, None)
        self.note(name, servers if figures.CONTROL[0] not in failed else [], failed)
        self.save()

    def put(self, name, part, servers, failed):
        """A part of a section, of which each server stands for itself."""
        self.results = figures.merged(self.results, part)
        self.note(name, servers, failed)
        self.save()

    def save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(f"{self.path}.new", "w", encoding="utf-8") as file:
            json.dump(self.results, file, indent=1)
            file.write("\n")
        os.replace(f"{self.path}.new", self.path)
