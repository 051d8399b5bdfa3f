"""What grows with connections or receivers, of build/bench/growth.json."""
from data import BYTES, NS, unit_of
from svg import Panel, linear, logarithmic, nice_ticks, tick_text
from targets import FLAT

MANY = 1000
CLASSES = {"1": "s s-weir", "2": "s s-weir dashed", "raw": "s s-raw"}


def loops_text(curve):
    return "raw epoll" if curve == "raw" else f"{curve} loop{'' if curve == '1' else 's'}"


def chart(title, curves, steps, axis, value, band=None):
    """curves: loops, or raw, -> points; value gives (middle, all rounds) of a point."""
    panel = Panel(230, title, left=54, right=66, bottom=34)
    counts = sorted({p["connections"] for points in curves.values() for p in points})
    most = max(max([value(p)[0], *value(p)[1]]) for points in curves.values() for p in points)
    most = max(most, (band or 0) * (1 + FLAT)) * 1.05
    x = logarithmic(counts[0], counts[-1], panel.left + 8, panel.right - 4)
    y = linear(0, most, panel.bottom, panel.top)
    size, unit = unit_of(most, steps)
    panel.y_axis(y, [t * size for t in nice_ticks(most / size)],
                 lambda v: f"{tick_text(v / size)} {unit}" if v else "0")
    if band:
        panel.add("rect", x=panel.left, y=y(band * (1 + FLAT)), width=panel.right - panel.left,
                  height=y(band * (1 - FLAT)) - y(band * (1 + FLAT)), c="band",
                  hint=f"within {FLAT:.0%} of the first")
    panel.x_axis(x, spaced(counts, x), count_text, axis)
    labels = []
    for loops, points in sorted(curves.items()):
        c = CLASSES.get(loops, "s s-other")
        at = [(x(p["connections"]), y(value(p)[0])) for p in points]
        panel.path(at, f"line {c}")
        for p, (px, py) in zip(points, at):
            middle, rounds = value(p)
            for each in rounds:
                panel.dot(px, y(each), 1.6, f"round {c}")
            panel.dot(px, py, 3.2, f"median {c}", f"{p['connections']:,} connections, "
                      f"{loops_text(loops)}: {tick_text(round(middle / size, 2))} {unit}")
        labels.append((*at[-1], loops_text(loops), c))
    panel.end_labels(labels)
    return panel.text()


def spaced(counts, x):
    """The counts whose labels do not run into the one to their right."""
    kept = []
    for count in reversed(counts):
        if not kept or x(kept[-1]) - x(count) > 26:
            kept.append(count)
    return kept[::-1]


def count_text(count):
    return f"{tick_text(count / 1000)}k" if count >= 1000 else tick_text(count)


def cost(point):
    return point["median"], point["values"]


def charts(growth):
    """(title, svg, notes) for what was measured."""
    works = (("echo", "Echo 64 B", "server's CPU for each message", "connections", 0),
             ("broadcast", "Broadcast 64 B", "server's CPU for each delivery", "receivers", MANY))
    for key, title, what, axis, least in works:
        curves = {loops: g[key] for loops, g in growth["curves"].items() if g.get(key)}
        if curves:
            first = min(curves)
            base = next((p for p in curves[first] if p["connections"] >= least),
                        curves[first][-1])
            yield (title, chart(title, curves, NS, axis, cost, base["median"]),
                   f"{what}; band: within {FLAT:.0%} of {loops_text(first)} at "
                   f"{base['connections']:,}")
    curves = {loops: [p for p in g.get("memory", []) if p["connections"] >= MANY]
              for loops, g in growth["curves"].items()}
    curves = {loops: points for loops, points in curves.items() if points}
    if curves:
        yield ("Memory", chart("Memory for each connection", curves, BYTES, "idle connections",
                               lambda p: (p["bytes_per_connection"], p.get("values", []))),
               "growth of weir-serve's resident memory, for each idle connection; from "
               f"{MANY:,} on, below which its first pages weigh in")

