"""Bars from zero, a row for each server: memory, stuck receivers, bystanders, instructions."""
from data import name_of, unit_of
from svg import Panel, linear, nice_ticks, series, tick_text

ROW = 22


def chart(title, rows, steps, write, axis, target=None):
    """rows: (server, value, second or None). The second, larger figure is drawn as a thin line."""
    panel = Panel(ROW * len(rows) + 46, title, left=110, right=92, top=8)
    most = max([max(v, w or 0) for _, v, w in rows] + [target or 0]) * 1.02 or 1
    scale = linear(0, most, panel.left, panel.right)
    size, unit = unit_of(most, steps)
    panel.x_axis(scale, [t * size for t in nice_ticks(most / size, 3)],
                 lambda v: tick_text(v / size), f"{unit} {axis}".strip())
    for i, (server, value, second) in enumerate(rows):
        y, c = panel.top + ROW * (i + .5), series(server)
        panel.words(panel.left - 8, y + 4, name_of(server), f"label {c}", "end")
        if second is not None:
            panel.add("rect", x=panel.left, y=y - 2, height=4,
                      width=max(scale(second) - panel.left, .5), c=f"bar thin {c}")
        panel.add("rect", hint=f"{name_of(server)}: {write(value)}", x=panel.left, y=y - 6,
                  height=12, width=max(scale(value) - panel.left, .5), c=f"bar {c}")
        figures = write(value) + ("" if second is None else f" · {write(second)}")
        panel.words(panel.right + 6, y + 4, figures, f"figure {c}")
    if target is not None:
        x = scale(target)
        panel.line(x, panel.top, x, panel.bottom, "target", f"target: at most {write(target)}")
    return panel.text()


def by_server(found, first, second=None):
    """Rows of what the servers' figures hold, from the least to the most."""
    rows = [(name, f[first], f.get(second)) for name, f in found.items()
            if f.get(first) is not None]
    return sorted(rows, key=lambda r: r[1])
