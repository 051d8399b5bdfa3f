"""The results for a terminal: ratios of server CPU, and a table of what else was measured."""

WIDTH = 11


def row(first, cells):
    return f"{first:24}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def number(value, form=".2f"):
    return "-" if value is None else format(value, form)


def points(results):
    """Lines; a `~` marks points whose control differed too much."""
    names = list(dict.fromkeys(
        name for point in results["points"].values() for name in point["servers"]))
    reference = results.get("reference")
    if not names or not reference:
        return []
    lines = [f"Server CPU per operation, as a ratio to {reference}; ~ where the control's two "
             f"copies differed by more than 2 %. Where {reference} cannot do it: in ns.", "",
             row("", [f"{reference}, ns", *names])]
    for name, point in results["points"].items():
        own = point["servers"]
        base = own.get(reference, {}).get("median")
        lines.append(row(name + ("" if point["reliable"] else " ~"), [
            number(base, ",.0f"),
            *(number(own.get(server, {}).get("ratio")) if base else
              number(own.get(server, {}).get("median"), ",.0f") for server in names)]))
    return lines


def over_unix(results):
    lines = []
    for name, point in results["points"].items():
        own = point["servers"]
        ratios = [(server, own.get(server, {}).get("median"), tcp["median"])
                  for server, tcp in point.get("tcp", {}).items()]
        cells = [f"{server} {unix / tcp:.2f}" for server, unix, tcp in ratios if unix and tcp]
        if cells:
            lines.append(row(name, cells))
    return ["", "The same server's CPU over a unix socket, to TCP", *lines] if lines else []


SECTIONS = (
    # Section, title, columns: (heading, key, format, divisor)
    ("memory", "Bytes of ours per connection, of 10,000",
     (("idle", "idle_bytes", ",.0f", 1), ("subscribed", "subscribed_bytes", ",.0f", 1))),
    ("knees", "Echo 64 B, 100 connections: the highest rate that keeps its p99",
     (("per second", "knee", ",.0f", 1),)),
    ("bystander", "An echo's p99.9 in ms, beside a broadcast to 10,000",
     (("beside", "p99_9_us", ",.2f", 1e3), ("alone", "alone_p99_9_us", ",.2f", 1e3))),
    ("stuck", "A publish of 8 MiB to 100 receivers that do not read",
     (("grown, MB", "grown_bytes", ",.1f", 1e6), ("pause, ms", "longest_pause_ms", ",.1f", 1))),
)


def section(results, name, title, columns):
    servers = results.get(name, {})
    servers = servers.get("servers", {}) if name == "memory" else servers
    if not servers:
        return []
    lines = ["", title, row("", [heading for heading, *_ in columns])]
    for server, own in servers.items():
        lines.append(row(server, [number(own[key] and own[key] / divisor, form)
                                  for _, key, form, divisor in columns]))
    return lines


def spectra(results):
    lines = []
    for name, shares in results.get("spectra", {}).items():
        lines.append(row(name, [number(at_least(shares[share]["points"], percent) / 1e3)
                                if share in shares else "-"
                                for share in ("50", "80", "95") for percent in (50, 99, 99.9)]))
    if not lines:
        return []
    heads = [f"{share}%: {percent}" for share in (50, 80, 95)
             for percent in ("p50", "p99", "p99.9")]
    return ["", "Echo 64 B in ms at a share of each server's own knee", row("", heads), *lines]


def at_least(spectrum, percent):
    return next((us for at, us in spectrum if at >= percent), spectrum[-1][1] if spectrum else 0)


def busy_poll(results):
    own = results.get("busy_poll")
    if not own or not own["blocking_us"]:
        return []
    return ["", f"weir's round trip: {own['blocking_us']:.1f} us blocking, "
            f"{own['busy_us']:.1f} us with busy polling "
            f"({own['busy_us'] / own['blocking_us']:.2f})"]


def failures(results):
    found = [f"{point}: {server}: {why}" for point, record in results["runner"].items()
             for server, why in record["failed"].items()]
    return ["", "Not measured", *found] if found else []


def lines(results):
    text = points(results) + over_unix(results)
    for name, title, columns in SECTIONS:
        text += section(results, name, title, columns)
    return text + spectra(results) + busy_poll(results) + failures(results)
