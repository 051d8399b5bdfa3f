"""CPU per operation: for each point of work a panel, for each server a row with all its rounds."""
import html

from data import (NS, colour_of, digits, doubtful, median, name_of, ordered, part, rate_text,
                  ratio_text, time_text, unit_of)
from svg import Panel, linear, nice_ticks, series, short, tick_text
from targets import RATIOS

ROW = 19
BEYOND = 2.3  # times the reference: what costs more stands beyond the scale


def scale_end(servers, reference):
    """Where the axis ends: at the dearest round, or so that cheap servers stay apart."""
    most = max(max(s["values"]) for s in servers.values())
    base = servers.get(reference, {}).get("median")
    return min(most, base * BEYOND) * 1.04 if base else most * 1.04


def draw_row(panel, scale, end, y, server, figures):
    c = series(server) + (" hollow" if server == "weir2" else "")
    values, middle = figures["values"], figures.get("median") or median(figures["values"])
    panel.words(panel.left - 8, y + 4, name_of(server), f"label {c}", "end")
    hint = (f"{name_of(server)}: {', '.join(time_text(v) for v in sorted(values))}; "
            f"median {time_text(middle)}")
    if middle > end:
        panel.words(panel.right, y + 4, "beyond →", f"beyond {c}", "end", hint)
    else:
        inside = [v for v in values if v <= end]
        panel.line(scale(min(inside)), y, scale(max(inside)), y, f"spread {c}")
        for value in inside:
            panel.dot(scale(value), y, 2.0, f"round {c}", hint)
        panel.line(scale(middle), y - 6, scale(middle), y + 6, f"median {c}", hint)
    panel.words(panel.right + 58, y + 4, time_text(middle), f"figure {c}", "end")
    if figures.get("ratio") is not None:
        panel.words(panel.right + 94, y + 4, ratio_text(figures["ratio"]), f"figure {c}", "end")


def all_rows(point):
    """The servers, and beside those over a unix socket some over TCP."""
    return {**point["servers"], **{f"{name}-tcp": s for name, s in point.get("tcp", {}).items()}}


def chart(key, point, reference):
    """The panel of one point."""
    servers = {name: s for name, s in all_rows(point).items() if s.get("values")}
    if not servers:
        return ""
    order = ordered(servers, lambda s: median(servers[s]["values"]))
    panel = Panel(ROW * len(order) + 54, point["title"], left=104, right=98, top=18)
    end = scale_end(servers, reference)
    scale = linear(0, end, panel.left, panel.right)
    size, unit = unit_of(end, NS)
    panel.x_axis(scale, [t * size for t in nice_ticks(end / size)],
                 lambda v: tick_text(v / size), f"{unit} of CPU")
    panel.words(panel.right + 94, 10, "ratio", "unit", "end")
    panel.words(panel.right + 58, 10, "median", "unit", "end")
    if reference in servers:
        base = scale(servers[reference]["median"])
        panel.line(base, panel.top - 4, base, panel.bottom, f"reference s-{colour_of(reference)}")
    for i, server in enumerate(order):
        draw_row(panel, scale, end, panel.top + ROW * (i + .5), server, servers[server])
    if key in RATIOS and reference in servers and "weir" in servers:
        mark_target(panel, scale, RATIOS[key][1] * servers[reference]["median"],
                    panel.top + ROW * order.index("weir"), RATIOS[key][1])
    return panel.text()


def mark_target(panel, scale, value, y, target):
    x = scale(value)
    panel.add("path", hint=f"target: at most {ratio_text(target)} = {time_text(value)}",
              d=f"M{short(x - 4)} {short(y - 2)}h8l-4 6z", c="target")
    panel.line(x, y + 4, x, y + ROW, "target")


def table(point):
    """All figures of a point, to be unfolded."""
    lines = ["<tr><th>server<th>CPU<th>ratio<th>per second<th>p50<th>p99<th>bytes"]
    servers = all_rows(point)
    for name in ordered(servers, lambda s: servers[s].get("median") or 0):
        s = servers[name]
        cells = [html.escape(name_of(name))]
        for key, write in (("median", time_text), ("ratio", ratio_text),
                           ("per_second", rate_text), ("p50_us", micro), ("p99_us", micro),
                           ("bytes", digits)):
            cells.append("–" if s.get(key) is None else write(s[key]))
        lines.append("<tr><td>" + "<td>".join(cells))
    return f'<table class="figures">{"".join(lines)}</table>'


def micro(us):
    return time_text(us * 1000)


def is_fanout(key):
    return key.startswith(("broadcast", "loop"))


def failures(found, key):
    """Who was asked to do a point's work and could not."""
    failed = (part(found, "peers", "runner") or {}).get(key, {}).get("failed") or {}
    return "; ".join(f"{name_of(name)}: {why}" for name, why in failed.items())


def figures(found, wanted):
    """A figure (as page.figure takes it) for each point whose key is wanted."""
    reference = (found["peers"] or {}).get("reference", "uws")
    for key, point in (part(found, "peers", "points") or {}).items():
        drawing = chart(key, point, reference) if wanted(key) else ""
        if drawing:
            notes = [point.get("unit", "CPU per operation").removeprefix("ns of ")]
            if point.get("rounds"):
                notes.append(f"{point['rounds']} rounds")
            if point.get("control_spread") is not None:
                notes.append(f"A/A {point['control_spread']:.1%}")
            if failures(found, key):
                notes.append(f"without {failures(found, key)}")
            commands = [f"make bench-peers POINTS={key} AGAIN=1"]
            commands += [point["command"]] if point.get("command") else []
            yield (point["title"], drawing, "; ".join(notes), commands, doubtful(point),
                   table(point))
