"""What the benches left in build/bench, and how servers, times and sizes are written."""
import json
import math
import os

# File: the command that makes it.
SOURCES = {"peers": "make bench-peers", "growth": "make bench-growth",
           "instructions": "make bench-instructions", "layer_bench": "make bench"}

NAMES = {"weir": "weir", "weir2": "weir again", "uws": "uWebSockets", "raw": "raw epoll",
         "bun": "Bun", "lws": "libwebsockets", "beast": "Beast", "ws": "ws",
         "websockets": "websockets", "socketio": "Socket.IO"}

# Light and dark: one colour for each server, wherever it is drawn.
COLOURS = {"weir": ("#0a58b0", "#78b7ff"), "uws": ("#bb4d00", "#ff9a52"),
           "raw": ("#6a6a66", "#a3a39c"), "bun": ("#a02b86", "#e88fd6"),
           "lws": ("#2c762f", "#79c77d"), "beast": ("#806400", "#d9b945"),
           "ws": ("#00727f", "#58c9d6"), "websockets": ("#6b45b8", "#b79cf2"),
           "socketio": ("#85543a", "#cf9c7b"), "other": ("#555555", "#b0b0b0")}


def load(directory):
    """The files that are there, by name; None for one that is not."""
    found = {}
    for name in SOURCES:
        path = os.path.join(directory, name + ".json")
        found[name] = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found[name] = json.load(file)
    return found


def part(found, name, key):
    """A part of a file, or None when either is missing or empty."""
    return (found[name] or {}).get(key) or None


def name_of(server):
    name = server.removesuffix("-tcp")
    return NAMES.get(name, name) + (", TCP" if name != server else "")


def colour_of(server):
    """The colour's name: the copy of weir shares weir's, and so does what it does over TCP."""
    family = "weir" if server == "weir2" else server.removesuffix("-tcp")
    return family if family in COLOURS else "other"


def ordered(servers, value):
    """Servers from the least value to the most, a second copy right after the first."""
    rank = sorted((s for s in servers if s != "weir2"), key=value)
    if "weir2" in servers:
        rank.insert(rank.index("weir") + 1 if "weir" in rank else 0, "weir2")
    return rank


def median(values):
    ranked = sorted(values)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


def digits(value):
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
    return f"{value:,.{min(decimals, 3)}f}"


def scaled(value, steps):
    """The value in the largest unit of steps, (size, name), that it fills."""
    size, unit = next((s for s in reversed(steps) if abs(value) >= s[0]), steps[0])
    return f"{digits(value / size)} {unit}"


NS = ((1, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))
BYTES = ((1, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"))
COUNT = ((1, ""), (1e3, "k"), (1e6, "M"))


def time_text(ns):
    return scaled(ns, NS)


def bytes_text(count):
    return scaled(count, BYTES)


def rate_text(per_second):
    return scaled(per_second, COUNT).replace(" ", "") + "/s"


def ratio_text(ratio):
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def unit_of(most, steps):
    """The unit in which an axis up to most is labelled."""
    return next((s for s in reversed(steps) if most >= s[0]), steps[0])


def doubtful(point):
    """Why a point's figures are not to be relied on, or None."""
    if point.get("reliable", True):
        return None
    spread = point.get("control_spread")
    return "unreliable" if spread is None else f"unreliable: A/A differ by {spread:.1%}"
