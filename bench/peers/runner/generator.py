"""weir-bench: one load on one running server, and what came of it."""
import itertools
import json
import os
import subprocess
import tempfile

from .servers import BUILD, LOAD_CPU, Failed, Running

# Between runs a port rests, so that no connection of the last run is still known to the kernel.
FIRST_PORT, PORTS = int(os.environ.get("BENCH_PORT", "9300")), 100
OVERHEAD_S = 120

_ports = itertools.cycle(range(FIRST_PORT, FIRST_PORT + PORTS))


def next_port():
    return next(_ports)


def words(load, seconds, warmup):
    """weir-bench's command line but for what differs from run to run."""
    return ["weir-bench", *load, "--warmup", f"{warmup:g}", "--seconds", f"{seconds:g}"]


def complaint(report, status):
    """Why a load does not count, or None."""
    counts = report.get("counts", {})
    bad = [f"{counts[name]} {name}" for name in ("wrong", "lost", "failed") if counts.get(name)]
    reasons = [reason["text"] for reason in report.get("reasons", [])]
    if not bad and status == 0:
        return None
    return "; ".join(bad + reasons) or f"weir-bench ended with status {status}"


def uncompressed(report):
    """Why a load that was to be compressed does not count, or None."""
    counts = report.get("counts", {})
    plain = counts.get("messages_received", 0) - counts.get("compressed", 0)
    if not report.get("settings", {}).get("compress") or plain <= 0:
        return None
    return f"{plain} messages came uncompressed"


def run_load(running, command, path="/", tolerant=False):
    """weir-bench's report as a dictionary. Raises Failed when answers were wrong or lost, unless
    tolerant: where a load goes beyond what a server can do, some may be."""
    deadline = OVERHEAD_S + 30 * float(command[command.index("--seconds") + 1])
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        line = ["taskset", "-c", LOAD_CPU, f"{BUILD}/bin/{command[0]}", *command[1:], "--quiet",
                "--server-pid", str(running.child.pid), "--json", file.name,
                running.url(path)]
        try:
            done = subprocess.run(line, capture_output=True, text=True, timeout=deadline,
                                  check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f"weir-bench took more than {deadline:.0f} s") from None
        try:
            report = json.load(file)
        except ValueError:
            said = " ".join((done.stderr or done.stdout).split())
            raise Failed(f"weir-bench: status {done.returncode}: {said[-200:]}") from None
    problem = complaint(report, done.returncode) or uncompressed(report)
    if problem and not tolerant:
        raise Failed(problem)
    return report


def measure(server, mode, command, path="/", extra=(), tolerant=False, tls=None, deflate="off",
            unix=False):
    """Starts the server, loads it once, ends it."""
    port = None if unix else next_port()
    with Running(server, port, mode, extra, tls, deflate) as running:
        return run_load(running, command, path, tolerant)


def sample_of(report):
    """What a round keeps of a report."""
    latency = report.get("latency_us") or {}
    use = report.get("server") or {}
    counts = report.get("counts") or {}
    received = counts.get("messages_received")
    return {"value": use.get("cpu_ns_per_operation"), "per_second": report.get("per_second"),
            "p50_us": latency.get("p50"), "p99_us": latency.get("p99"),
            "bytes": counts["bytes_received"] / received if received else None}
