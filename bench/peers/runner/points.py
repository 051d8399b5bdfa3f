"""What is measured: one row a point. A server's mode, weir-bench's mode and its options."""

import dataclasses

PER_OPERATION = "ns of server CPU per operation"
PER_DELIVERY = "ns of server CPU per delivery"
PER_CONNECTION = "ns of server CPU per connection"
BESIDE, OVER_TCP = ("weir", "raw"), "-tcp"


@dataclasses.dataclass(frozen=True)
class Point:
    """A point at which server CPU per operation is compared."""

    name: str
    title: str
    mode: str  # of the server
    load: tuple  # weir-bench's words
    unit: str = PER_OPERATION
    tls: bool = False
    deflate: str = "off"  # or shared, without context takeover, or takeover
    unix: bool = False  # over a unix socket, and by those of BESIDE over TCP in the same rounds

    def suits(self, server):
        """Whether a server can do it."""
        return ((not self.tls or server.can_tls()) and (not self.unix or server.unix) and
                (self.deflate == "off" or server.can_deflate(self.deflate)))

    def rows(self, names):
        """What a round measures: the servers, then those that do it over TCP, too."""
        return [*names, *(name + OVER_TCP for name in names if self.unix and name in BESIDE)]


def over_tls(point):
    """The same over TLS 1.3."""
    return dataclasses.replace(point, name=point.name + "-tls", title=point.title + ", over TLS",
                               load=(*point.load, "--tls-version", "13"), tls=True)


def over_unix(point):
    """The same over a unix socket."""
    return dataclasses.replace(point, name=point.name + "-unix", unix=True,
                               title=point.title + ", over a unix socket")


def compressed(point, deflate):
    """The same of JSON, compressed at level 1. Where no context is kept, clients ask for that."""
    kept = deflate == "takeover"
    words = ("--json-payload", "--compress", *(() if kept else ("--no-takeover",)))
    return dataclasses.replace(
        point, name=f"{point.name}-{'takeover' if kept else 'deflate'}", deflate=deflate,
        title=f"{point.title}, JSON, compressed {'with' if kept else 'without'} takeover",
        load=(*point.load, *words))


def echo(name, title, *options, connections=100):
    return Point(f"echo-{name}", f"Echo {title}", "echo",
                 ("closed", "--connections", str(connections), *options))


def broadcast(kind, mode, title, size, window, apart=False):
    sizes = {"64": "64 B", "1k": "1 KiB"}
    return Point(f"{kind}-{size}-w{window}{'-apart' if apart else ''}",
                 f"{title} {sizes[size]} to 1,000, {window} outstanding{' apart' if apart else ''}",
                 mode, ("broadcast", "--connections", "1000", "--size", size.upper(),
                        "--in-flight", str(window), *(["--apart"] if apart else [])), PER_DELIVERY)


PLAIN = (
    echo("64", "64 B, 100 connections, 1 in flight", "--size", "64"),
    echo("64x16", "64 B, 100 connections, 16 in flight", "--size", "64", "--in-flight", "16"),
    echo("1k", "1 KiB, 100 connections, 1 in flight", "--size", "1K"),
    echo("16k", "16 KiB, 100 connections, 1 in flight", "--size", "16K"),
    echo("16k-cjk", "16 KiB of CJK text, 100 connections, 1 in flight", "--size", "16K", "--cjk"),
    echo("1m", "1 MiB, 8 connections, 1 in flight", "--size", "1M", connections=8),
    Point("storm", "Connect, upgrade, close", "echo", ("storm", "--connections", "100"),
          PER_CONNECTION),
    *(broadcast("broadcast", "all", "Publish", size, window)
      for size in ("64", "1k") for window in (2, 32)),
    *(broadcast("broadcast", "all", "Publish", size, 2, True) for size in ("64", "1k")),
    *(broadcast("loop", "loop", "A send for each of a list:", size, 32) for size in ("64", "1k")),
)

BY_NAME = {point.name: point for point in PLAIN}
POINTS = (
    *PLAIN,
    *(over_tls(BY_NAME[name]) for name in ("echo-64", "echo-1k", "echo-16k", "storm")),
    *(over_unix(BY_NAME[name]) for name in ("echo-64", "echo-64x16")),
    compressed(BY_NAME["echo-1k"], "shared"),
    compressed(BY_NAME["echo-1k"], "takeover"),
    # One message to all, and what a deflate for each of them costs.
    compressed(BY_NAME["broadcast-1k-w2"], "shared"),
    compressed(broadcast("loop", "loop", "A send for each of a list:", "1k", 2), "shared"),
)

# Measured otherwise, each by a function of runner/special.py or runner/stuck.py.
SPECIAL = ("memory", "knees", "spectra", "bystander", "stuck", "busy_poll")


def choose(words):
    """The points that the words name, each a name or the beginning of one that ends in `*`; all of
    them for none. Returns (points, names of special ones)."""
    def named(name):
        return not words or any(
            name.startswith(word[:-1]) if word.endswith("*") else name == word for word in words)
    names = [point.name for point in POINTS] + list(SPECIAL)
    for word in words:
        hit = word[:-1] if word.endswith("*") else word
        if not any(name.startswith(hit) if word.endswith("*") else name == hit for name in names):
            raise SystemExit(f"bench/peers/run: no point {word}; there are {' '.join(names)}")
    return [point for point in POINTS if named(point.name)], [s for s in SPECIAL if named(s)]
