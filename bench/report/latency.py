"""Latency: percentile spectra at shares of each server's knee, and p99 against throughput."""
import math

from data import NS, name_of, rate_text, time_text, unit_of
from svg import WIDTH, Panel, linear, log_ticks, logarithmic, nice_ticks, series, tick_text

# The axis of percentiles: a nine more is a step to the right.
PERCENTILES = (0, 50, 90, 99, 99.9, 99.99)
MOST = 99.99


def nines(percent):
    return -math.log10(1 - min(percent, MOST) / 100)


def bounds(values):
    """Where an axis of logarithms begins and ends: at 1, 2 or 5 times a power of ten."""
    low, high = min(values), max(values)
    return (max(t for t in log_ticks_around(low) if t <= low * 1.001),
            min(t for t in log_ticks_around(high) if t >= high * .999))


def log_ticks_around(value):
    power = math.floor(math.log10(value))
    return [f * 10.0 ** p for p in (power - 1, power, power + 1) for f in (1, 2, 5)]


def time_axis(panel, low, high):
    scale = logarithmic(low, high, panel.bottom, panel.top)
    panel.y_axis(scale, log_ticks(low, high), axis_time)
    return scale


def axis_time(us):
    size, unit = unit_of(us * 1000, NS)
    return f"{tick_text(us * 1000 / size)} {unit}"


def visible(points):
    """The part up to MOST, and not 100, which has no place on an axis of nines."""
    return [(p, us) for p, us in points if p <= MOST + 1e-9 and us > 0]


def spectra(found):
    """(title, svg, notes) for each share of the knee."""
    shares = sorted({share for s in found.values() for share in s}, key=float)
    lines = {share: {name: (s[share]["rate"], visible(s[share]["points"]))
                     for name, s in found.items()
                     if share in s and visible(s[share]["points"])} for share in shares}
    values = [us for some in lines.values() for _, points in some.values() for _, us in points]
    if not values:
        return
    low, high = bounds(values)
    for share in shares:
        yield (f"At {share} % of each server's knee", spectrum(share, lines[share], low, high),
               "open loop, timed from the intended send")


def spectrum(share, lines, low, high):
    panel = Panel(270, f"Latency by percentile at {share} % of the knee", left=50, right=122)
    y = time_axis(panel, low, high)
    x = linear(0, nines(MOST), panel.left, panel.right)
    panel.x_axis(lambda p: x(nines(p)), PERCENTILES, tick_text, "percentile")
    labels = []
    for name, (rate, points) in lines.items():
        at = [(x(nines(p)), y(us)) for p, us in points]
        panel.path(at, f"line {series(name)}",
                   f"{name_of(name)} at {rate_text(rate)}: p{tick_text(points[-1][0])} "
                   f"{time_text(points[-1][1] * 1000)}")
        labels.append((*at[-1], f"{name_of(name)} {rate_text(rate)}", series(name)))
    panel.end_labels(labels)
    return panel.text()


def knees(found):
    """(title, svg, notes) for each server: its own curve among all the others'."""
    curves = {name: [s for s in k.get("steps", []) if s["achieved"] > 0 and s["p99_us"] > 0]
              for name, k in found.items()}
    curves = {name: sorted(steps, key=lambda s: s["rate"])
              for name, steps in curves.items() if steps}
    if not curves:
        return
    most = max(s["achieved"] for steps in curves.values() for s in steps)
    low, high = bounds([s["p99_us"] for steps in curves.values() for s in steps])
    for name in sorted(curves, key=lambda n: -(found[n].get("knee") or 0)):
        knee = found[name].get("knee") or 0
        title = f"{name_of(name)}: knee at {rate_text(knee)}" if knee else \
            f"{name_of(name)}: no knee found"
        yield title, knee_chart(name, curves, knee, most, low, high), ""


def knee_chart(name, curves, knee, most, low, high):
    panel = Panel(190, f"p99 against throughput, {name_of(name)}", left=50)
    y = time_axis(panel, low, high)
    x = linear(0, most * 1.02, panel.left, WIDTH - 16)
    size = 1e6 if most >= 2e6 else 1e3
    panel.x_axis(x, [t * size for t in nice_ticks(most / size)],
                 lambda v: tick_text(v / size), f"{'million' if size == 1e6 else 'thousand'} "
                 "messages/s answered")
    for other, steps in curves.items():
        if other != name:
            panel.path([(x(s["achieved"]), y(s["p99_us"])) for s in steps], "line others")
    steps = curves[name]
    panel.path([(x(s["achieved"]), y(s["p99_us"])) for s in steps], f"line {series(name)}")
    for s in steps:
        panel.dot(x(s["achieved"]), y(s["p99_us"]), 2.0, f"round {series(name)}",
                  f"{rate_text(s['rate'])} intended, {rate_text(s['achieved'])} answered: p50 "
                  f"{time_text(s['p50_us'] * 1000)}, p99 {time_text(s['p99_us'] * 1000)}, "
                  f"{time_text(s.get('server_cpu_ns') or 0)} of CPU")
    if knee:
        at = min(steps, key=lambda s: abs(s["rate"] - knee))
        place = x(at["achieved"]), y(at["p99_us"])
        panel.dot(*place, 6.0, f"knee {series(name)}")
        roomy = place[0] > WIDTH / 2
        panel.words(place[0] + (-9 if roomy else 12), place[1] - 8, f"{rate_text(knee)}, p99 "
                    f"{time_text(at['p99_us'] * 1000)}", f"label {series(name)}",
                    "end" if roomy else "start")
    return panel.text()
