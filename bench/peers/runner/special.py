"""What is no CPU per operation: memory, knees, spectra, a bystander's waits, busy polling. Each
function takes the servers and the results so far, and yields ({part of the results}, {name: why a
server is missing}) as soon as a server is done."""
import json
import os
import statistics
import subprocess

from . import figures, rounds
from .generator import measure, next_port, run_load, words
from .servers import LOAD_CPU, Failed, Running

IDLE = 10000
KNEE_LOAD = ("--connections", "100", "--size", "64")
SHARES = (50, 80, 95)
BYSTANDER_RECEIVERS, BROADCASTS_PER_S = 10000, 2
BUSY_POLL_US = 1000


def each(section, servers, tell, take):
    """take(server) of each, as a part of a section of the results."""
    for name, server in servers.items():
        try:
            yield {section: {name: take(server)}}, {}
        except Failed as error:
            yield {}, {name: str(error)}
        tell(name)


def bytes_per_connection(server, mode, path, settings):
    """RSS growth for each of many connections that do nothing. A first connection comes and goes
    before, so that code which the kernel loads at its first use does not count."""
    first = words(("closed", "--connections", "1"), 0.1, 0)
    command = words(("idle", "--connections", str(IDLE)), settings.seconds, 0)
    grown = []
    for _ in range(min(settings.rounds, 3)):
        with Running(server, next_port(), mode) as running:
            run_load(running, first, path)
            use = run_load(running, command, path)["server"]
        grown.append((use["rss_after_bytes"] - use["rss_before_bytes"]) / IDLE)
    return statistics.median(grown)


def memory(servers, _, settings, tell):
    def take(server):
        return {"idle_bytes": bytes_per_connection(server, "echo", "/", settings),
                "subscribed_bytes": bytes_per_connection(server, "subscribed", "/all", settings)}
    for part, failed in each("servers", servers, tell, take):
        yield {"memory": {"connections": IDLE, **part}}, failed


def knee_of(server, settings):
    command = words(("ramp", *KNEE_LOAD), settings.seconds, settings.warmup)
    report = measure(server, "echo", command, tolerant=True)
    if not report["steps"]:
        raise Failed("the ramp has no steps")
    return {"knee": report["knee"], "steps": report["steps"]}


def knees(servers, _, settings, tell):
    yield from each("knees", servers, tell, lambda server: knee_of(server, settings))


def spectrum_of(server, knee, share, settings):
    rate = knee * share / 100
    command = words(("rate", *KNEE_LOAD, "--rate", f"{rate:.0f}"), 4 * settings.seconds,
                    settings.warmup)
    return {"rate": rate, "points": measure(server, "echo", command, tolerant=True)["spectrum"]}


def spectra(servers, results, settings, tell):
    """Needs the servers' knees: finds those that are not known yet."""
    def take(server):
        known = results.get("knees", {}).get(server.name) or knee_of(server, settings)
        if not known["knee"]:
            raise Failed("it has no knee")
        return {str(share): spectrum_of(server, known["knee"], share, settings)
                for share in SHARES}
    yield from each("spectra", servers, tell, take)


def bystander(servers, _, settings, tell):
    def p99_9(server, receivers):
        command = words(("bystander", "--connections", str(receivers), "--size", "64", "--rate",
                         str(BROADCASTS_PER_S), "--side-path", "/"), 4 * settings.seconds,
                        settings.warmup)
        runs = [measure(server, "bystander", command, "/all")["latency_us"]["p99.9"]
                for _ in range(min(settings.rounds, 3))]
        return statistics.median(runs)

    def take(server):
        return {"p99_9_us": p99_9(server, BYSTANDER_RECEIVERS), "alone_p99_9_us": p99_9(server, 1)}
    yield from each("bystander", servers, tell, take)


def stuck_once(server):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stuck.py")
    with Running(server, next_port(), "bystander") as running:
        done = subprocess.run(
            ["taskset", "-c", LOAD_CPU, "/usr/bin/python3", script, str(running.port),
             str(running.child.pid)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Failed(" ".join(done.stderr.split())[-200:])
    return json.loads(done.stdout)


def stuck(servers, _, settings, tell):
    def take(server):
        runs = [stuck_once(server) for _ in range(min(settings.rounds, 3))]
        return {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    yield from each("stuck", servers, tell, take)


def busy_poll(servers, _, settings, tell):
    """weir's round trip on one connection, with a loop that spins and with one that blocks."""
    command = words(("closed", "--connections", "1", "--size", "64"), settings.seconds,
                    settings.warmup)
    ways = {"blocking_us": (), "busy_us": ("--busy-poll-us", str(BUSY_POLL_US))}

    def take(way):
        return {"value": measure(servers["weir"], "echo", command, extra=ways[way])
                ["latency_us"]["p50"]}
    if "weir" not in servers:
        yield {}, {"weir": "it was not chosen"}
        return
    samples, failed = rounds.one_attempt(list(ways), settings.rounds, take, tell)
    if failed:
        yield {}, {"weir": next(iter(failed.values()))}
        return
    yield {"busy_poll": {way: figures.median_of(samples[way], "value") for way in ways}}, {}


SECTIONS = {"memory": memory, "knees": knees, "spectra": spectra, "bystander": bystander,
            "stuck": stuck, "busy_poll": busy_poll}
