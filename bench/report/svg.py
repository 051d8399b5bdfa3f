"""Inline SVG by hand: a panel with scales, axes and texts. Colours are the page's style sheet's.

A panel is WIDTH units wide on every screen, a unit being about a pixel on a phone, so that texts
stay readable where panels stand one below the other.
"""
import html
import math

from data import colour_of

WIDTH = 360


def linear(low, high, start, end):
    span = (high - low) or 1
    return lambda value: start + (value - low) / span * (end - start)


def logarithmic(low, high, start, end):
    place = linear(math.log10(low), math.log10(high), start, end)
    return lambda value: place(math.log10(max(value, low)))


def nice_ticks(most, about=4):
    """Round values from 0 up to most."""
    if most <= 0:
        return [0]
    raw = most / about
    size = 10 ** math.floor(math.log10(raw))
    step = next(f * size for f in (1, 2, 2.5, 5, 10) if f * size >= raw)
    return [i * step for i in range(int(most / step + 1e-9) + 1)]


def log_ticks(low, high):
    """Powers of ten, with 2 and 5 between where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if math.log10(high / low) > 3.2 else (1, 2, 5)
    return [f * 10.0 ** p for p in powers for f in factors
            if low * .999 <= f * 10.0 ** p <= high * 1.001]


def spread_out(places, gap, low, high):
    """The places moved apart to at least gap, in their order, between low and high."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    floor = low
    for i in order:
        moved[i] = max(moved[i], floor)
        floor = moved[i] + gap
    ceiling = high
    for i in reversed(order):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - gap
    return moved


def tick_text(value):
    return f"{value:,.10g}"


class Panel:
    """Collects elements; text() makes the whole."""

    def __init__(self, height, title, left=44, right=16, top=8, bottom=32):
        self.height, self.title = height, title
        self.left, self.right = left, WIDTH - right
        self.top, self.bottom = top, height - bottom
        self.parts = []

    def add(self, element, content=None, hint=None, **attributes):
        """An element; attribute names get - for _, and class for a leading c."""
        names = {"c": "class"}
        words = "".join(f' {names.get(k, k.replace("_", "-"))}="{html.escape(short(v))}"'
                        for k, v in attributes.items() if v is not None)
        inside = f"<title>{html.escape(hint)}</title>" if hint else ""
        inside += html.escape(content) if content is not None else ""
        self.parts.append(f"<{element}{words}>{inside}</{element}>" if inside
                          else f"<{element}{words}/>")

    def words(self, x, y, content, c="", anchor=None, hint=None):
        self.add("text", content, hint, x=x, y=y, c=c or None, text_anchor=anchor)

    def line(self, x1, y1, x2, y2, c, hint=None):
        self.add("line", hint=hint, x1=x1, y1=y1, x2=x2, y2=y2, c=c)

    def dot(self, x, y, radius, c, hint=None):
        self.add("circle", hint=hint, cx=x, cy=y, r=radius, c=c)

    def path(self, points, c, hint=None):
        d = "M" + "L".join(f"{short(x)} {short(y)}" for x, y in points)
        self.add("path", hint=hint, d=d, c=c)

    def x_axis(self, scale, ticks, label=tick_text, title=""):
        self.line(self.left, self.bottom, self.right, self.bottom, "axis")
        for value in ticks:
            x = scale(value)
            self.line(x, self.bottom, x, self.bottom + 4, "axis")
            self.words(x, self.bottom + 15, label(value), "tick", "middle")
        self.words(self.right, self.bottom + 28, title, "unit", "end")

    def y_axis(self, scale, ticks, label=tick_text):
        for value in ticks:
            y = scale(value)
            self.line(self.left, y, self.right, y, "grid")
            self.words(self.left - 6, y + 4, label(value), "tick", "end")

    def end_labels(self, labels):
        """(x, y, text, class) at the right ends of lines, moved apart, joined where moved far."""
        moved = spread_out([y for _, y, _, _ in labels], 13, self.top + 4, self.bottom - 6)
        for (x, y, content, c), at in zip(labels, moved):
            if abs(at - y) > 3:
                self.line(x + 2, y, x + 8, at, "leader " + c)
            self.words(x + 10, at + 4, content, "label " + c)

    def text(self):
        return (f'<svg viewBox="0 0 {WIDTH} {short(self.height)}" role="img" '
                f'aria-label="{html.escape(self.title)}">{"".join(self.parts)}</svg>')


def short(value):
    """A number with one decimal at most, or the text as it is."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def series(server):
    """The class that gives a mark its server's colour, and lets the page pick it out."""
    return f"s s-{colour_of(server)}"
