"""The tables for the README: targets and what was reached, then CPU against every peer."""
from crowds import loops_text
from data import name_of, part, ratio_text, time_text
from targets import rows

MARKS = {"met": "met", "missed": "**missed**", "unreliable": "*unreliable*",
         "unmeasured": "not measured"}


def table(head, lines):
    return "\n".join("| " + " | ".join(cells) + " |"
                     for cells in [head, ["---"] * len(head), *lines]) + "\n"


def target_table(found):
    lines = [[r.work, r.target, r.reached, MARKS[r.state] + (f" ({r.note})" if r.note else "")]
             for r in rows(found)]
    return table(["work", "target", "reached", ""], lines)


def cpu_table(found):
    """A row for each point: what it costs weir, and all servers as ratios to the reference, or as
    times where that cannot do it."""
    points = part(found, "peers", "points")
    if not points:
        return ""
    reference = found["peers"].get("reference", "uws")
    servers = []
    for point in points.values():
        servers += [s for s in point["servers"] if s not in (*servers, "weir2", reference)]
    servers.sort(key=lambda s: s != "weir")
    head = ["CPU per operation", name_of(reference), *map(name_of, servers), "weir per s"]
    lines = []
    for point in points.values():
        measured = point["servers"]
        base = measured.get(reference, {}).get("median")
        cells = [point["title"] + ("" if point.get("reliable", True) else " (unreliable)"),
                 time_text(base) if base is not None else ""]
        for server in servers:
            cells.append(cpu_text(measured.get(server, {}), base))
        per_second = measured.get("weir", {}).get("per_second")
        cells.append("" if per_second is None else f"{per_second:,.0f}")
        lines.append(cells)
    return table(head, lines)


def cpu_text(figures, base):
    """The ratio to the reference; its own time where the reference cannot do the work."""
    if base is None:
        return "" if figures.get("median") is None else time_text(figures["median"])
    return "" if figures.get("ratio") is None else ratio_text(figures["ratio"])


def growth_table(found):
    """A row for each count of connections, a group of columns for each curve."""
    curves = part(found, "growth", "curves")
    if not curves:
        return ""
    head, columns = ["connections"], []
    for curve, works in sorted(curves.items()):
        for work, what in (("echo", "echo"), ("broadcast", "broadcast, a delivery"),
                           ("memory", "memory")):
            if works.get(work):
                head.append(f"{what}, {loops_text(curve)}")
                columns.append((work, {p["connections"]: p for p in works[work]}))
    lines = []
    for count in sorted({c for _, points in columns for c in points}):
        cells = [f"{count:,}"]
        for work, points in columns:
            point = points.get(count)
            cells.append("" if point is None else f"{point['bytes_per_connection']:,.0f} B"
                         if work == "memory" else time_text(point["median"]))
        lines.append(cells)
    return table(head, lines)


def whole(found):
    return "\n".join(filter(None, (target_table(found), cpu_table(found), growth_table(found))))
