"""The targets, and what of them was reached: each a row of the page's first table."""
from collections import namedtuple

from data import bytes_text, digits, median, part, ratio_text

# state: met, missed, unreliable or unmeasured. share: reached / target, for the drawing.
Row = namedtuple("Row", "work target reached state share note")

# Point: (work, CPU for each operation at most, as a ratio to uWebSockets'). The first two are
# at the kernel's floor, so the spread of two copies of one server is granted to them.
RATIOS = {
    "echo-64": ("echo 64 B", 1.00),
    "echo-1k": ("echo 1 KiB", 1.00),
    "echo-64x16": ("echo 64 B, 16 in flight", .90),
    "echo-16k": ("echo 16 KiB", .90),
    "echo-1m": ("echo 1 MiB", .85),
    "echo-16k-cjk": ("echo 16 KiB of CJK text", .55),
    "storm": ("connect, upgrade, close", .97),
    "broadcast-64-w2-apart": ("broadcast 64 B to 1,000, 2 outstanding, begun apart", .70),
    "broadcast-1k-w2-apart": ("broadcast 1 KiB to 1,000, 2 outstanding, begun apart", .70),
    "broadcast-64-w2": ("broadcast 64 B to 1,000, 2 outstanding, in lockstep", .70),
    "broadcast-1k-w2": ("broadcast 1 KiB to 1,000, 2 outstanding, in lockstep", .70),
    "broadcast-1k-w32": ("broadcast 1 KiB to 1,000, 32 outstanding", .60),
    "loop-64-w32": ("a loop of sends, 64 B, 32 outstanding", .06),
    "loop-1k-w32": ("a loop of sends, 1 KiB, 32 outstanding", .06),
}
AT_THE_FLOOR = ("echo-64", "echo-1k")
STUCK_BYTES, STUCK_MS = 10e6, 5
BYSTANDER = .2
IDLE_BYTES, SUBSCRIBED_BYTES = 160, 240
BUSY_POLL = .65
FLAT = .15
LAYER = 1.03
TWINS = .20
# The work, and its floor that deflates for each receiver.
TWINS_POINTS = ("broadcast-1k-w2-deflate", "loop-1k-w2-deflate")
UNIX = .35


def row(work, target, value, write, doubt=None, allowed=None):
    """A row for what is to be at most target (or allowed, where that is told apart)."""
    most = target if allowed is None else allowed
    goal = "≤ " + write(target) + (" + spread" if allowed is not None else "")
    if value is None:
        return Row(work, goal, "", "unmeasured", None, None)
    reached = write(value)
    if reached == write(target) and value != target:  # rounding must not hide which side it is on
        reached = f"{value:.4g}" if write is ratio_text else f"{value / target:.1%} of it"
    state = "unreliable" if doubt else "met" if value <= most + 1e-9 else "missed"
    return Row(work, goal, reached, state, value / target, doubt)


def of_server(point, server, key):
    return (point or {}).get("servers", {}).get(server, {}).get(key)


def ratio_rows(points, reference):
    for key, (work, target) in RATIOS.items():
        point = points.get(key)
        doubt = None if point is None or point.get("reliable", True) else "A/A apart"
        allowed = None
        if key in AT_THE_FLOOR:
            allowed = target + min((point or {}).get("control_spread") or 0, .02)
        ratio = of_server(point, "weir", "ratio") if reference == "uws" else None
        yield row(work, target, ratio, ratio_text, doubt, allowed)


def quotient(above, below):
    return above / below if above is not None and below else None


def twins_row(points):
    """One deflate for all receivers, against the floor's deflate for each."""
    twins, each = (points.get(key) for key in TWINS_POINTS)
    apart = [p for p in (twins, each) if p and not p.get("reliable", True)]
    reached = quotient(of_server(twins, "weir", "median"), of_server(each, "raw", "median"))
    return row("broadcast 1 KiB JSON to 1,000, compressed, to raw epoll with a deflate for each",
               TWINS, reached, ratio_text, "A/A apart" if apart else None)


def unix_row(points):
    """An echo over a unix socket, against the same server's over TCP in the same rounds."""
    point = points.get("echo-64-unix") or {}
    reached = quotient(of_server(point, "weir", "median"),
                       point.get("tcp", {}).get("weir", {}).get("median"))
    return row("echo 64 B over a unix socket, to weir's own over TCP", UNIX, reached, ratio_text,
               None if point.get("reliable", True) else "A/A apart")


def other_rows(found):
    points = part(found, "peers", "points") or {}
    yield twins_row(points)
    yield unix_row(points)
    stuck = (part(found, "peers", "stuck") or {}).get("weir", {})
    yield row("8 MiB to 100 stuck receivers: grown", STUCK_BYTES, stuck.get("grown_bytes"),
              bytes_text)
    yield row("… and the longest pause of the loop", STUCK_MS, stuck.get("longest_pause_ms"),
              lambda ms: f"{digits(ms)} ms")
    beside = part(found, "peers", "bystander") or {}
    yield row("bystander's p99.9 during a broadcast to 10,000", BYSTANDER,
              quotient(beside.get("weir", {}).get("p99_9_us"),
                       beside.get("uws", {}).get("p99_9_us")), ratio_text)
    memory = (part(found, "peers", "memory") or {}).get("servers", {}).get("weir", {})
    yield row("memory of an idle connection", IDLE_BYTES, memory.get("idle_bytes"), bytes_text)
    yield row("memory of a subscribed connection", SUBSCRIBED_BYTES,
              memory.get("subscribed_bytes"), bytes_text)
    yield from instruction_rows(part(found, "instructions", "points") or {})
    poll = part(found, "peers", "busy_poll") or {}
    yield row("round trip with busy_poll, to blocking", BUSY_POLL,
              quotient(poll.get("busy_us"), poll.get("blocking_us")), ratio_text)
    layer = part(found, "layer_bench", "benchmarks") or []
    yield row("dispatch by the C++ layer, to C", LAYER,
              quotient(run_ns(layer, "dispatch_cpp"), run_ns(layer, "dispatch_c")), ratio_text)
    for loops, flat in sorted((part(found, "growth", "flat") or {}).items()):
        if loops != "raw":
            yield row(f"echo at 10 to most connections, {loops} loop{'s' * (loops != '1')}: "
                      "dearest to cheapest", 1 + FLAT, flat, ratio_text)
    for loops, flat in sorted((part(found, "growth", "over_floor") or {}).items()):
        yield row(f"… as ratios to raw epoll at each count, {loops} loop{'s' * (loops != '1')}",
                  1 + FLAT, flat, ratio_text)


def run_ns(runs, name):
    """The median of a benchmark's repetitions; None when it was not run."""
    times = [r["cpu_time"] for r in runs if r["run_type"] == "iteration" and r["run_name"] == name]
    return median(times) if times else None


def instruction_rows(points):
    for point in points.values():
        if point.get("target"):
            yield row(f"instructions: {point['title'][:1].lower()}{point['title'][1:]}",
                      point["target"], point.get("weir"), digits)


def rows(found):
    """All targets in the plan's order."""
    reference = (found["peers"] or {}).get("reference")
    return [*ratio_rows(part(found, "peers", "points") or {}, reference), *other_rows(found)]
