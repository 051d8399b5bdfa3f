"""The page: one HTML file, whole without any script; a few lines let a server stand out."""
import html
import os

import bars
import cpu
import crowds
import latency
from data import (BYTES, COLOURS, COUNT, NS, SOURCES, bytes_text, colour_of, digits, name_of,
                  part, time_text)
from svg import linear, short
from targets import IDLE_BYTES, STUCK_BYTES, STUCK_MS, rows

MARKS = {"met": "✓ met", "missed": "✗ missed", "unreliable": "? unreliable",
         "unmeasured": "not measured"}

SCRIPT = """
for (const button of document.querySelectorAll('.key button'))
  button.onclick = () => {
    const body = document.body.dataset, again = body.only === button.value;
    if (again) delete body.only; else body.only = button.value;
    for (const other of document.querySelectorAll('.key button'))
      other.setAttribute('aria-pressed', !again && other === button);
  };
"""


def figure(title, drawing, notes, command=(), doubt=None, figures=""):
    """A chart with its title above and below it what made it, and with which commands."""
    lines = [f'<figure{" class=doubtful" if doubt else ""}><h3>{html.escape(title)}</h3>']
    if doubt:
        lines.append(f'<p class="doubt">{html.escape(doubt)}</p>')
    lines.append(drawing)
    lines.append(f"<figcaption>{html.escape(notes)}")
    lines += [f"<code>{html.escape(each)}</code>" for each in command]
    if figures:
        lines.append(f"<details><summary>all figures</summary>{figures}</details>")
    lines.append("</figcaption></figure>")
    return "".join(lines)


def section(title, text, figures, source):
    """A heading, what to see, and the charts; or how to measure what there is none of."""
    command = SOURCES[source]
    panels = "".join(figure(*f) for f in figures)
    body = f'<div class="panels">{panels}</div>' if panels else \
        f'<p class="unmeasured">Not measured here: <code>{command}</code> does.</p>'
    by = f' <span class="soft">By <code>{command}</code>.</span>' if panels else ""
    return f"<section><h2>{title}</h2><p>{text}{by}</p>{body}</section>"


def style():
    with open(os.path.join(os.path.dirname(__file__), "style.css"), encoding="utf-8") as file:
        text = file.read()
    for place, wrap in ((0, "{}"), (1, "@media (prefers-color-scheme: dark) {{ {} }}")):
        text += wrap.format(" ".join(f".s-{name} {{ --c: {pair[place]}; }}"
                                     for name, pair in COLOURS.items())) + "\n"
    for name in COLOURS:
        text += f"body[data-only={name}] svg .s-{name} {{ opacity: 1; }}\n"
    return text


def target_bar(row):
    """Reached against target, from zero; what is beyond the scale is written."""
    if row.share is None:
        return ""
    place = linear(0, 2, 2, 118)
    c = "s-weir" if row.state == "met" else row.state
    mark = f'<circle cx="{short(place(row.share))}" cy="6" r="4" class="{c}" ' \
        f'fill="{"var(--c)" if c == "s-weir" else "currentColor"}"/>'
    if row.share > 2:
        mark = f'<text x="118" y="10" text-anchor="end" class="beyond {c}">' \
            f"{row.share:.1f} × →</text>"
    hint = f"{row.share:.0%} of the target"
    return (f'<svg viewBox="0 0 120 12" role="img" aria-label="{hint}"><title>{hint}</title>'
            f'<line class="axis" x1="2" x2="{118 if row.share <= 2 else 76}" y1="6" y2="6" '
            f'opacity=".4"/>'
            f'<line class="target" x1="{short(place(1))}" x2="{short(place(1))}" y1="0" y2="12"/>'
            f"{mark}</svg>")


def target_table(found):
    lines = ["<tr><th>work<th>target<th>reached<th><th>dashed: the target"]
    for row in rows(found):
        note = f" ({row.note})" if row.note else ""
        lines.append(f'<tr><td>{html.escape(row.work)}<td>{html.escape(row.target)}'
                     f'<td>{html.escape(row.reached)}<td class="{row.state}">'
                     f'{MARKS[row.state]}{note}<td>{target_bar(row)}')
    return f'<table class="targets">{"".join(lines)}</table>'


def machine(found):
    """Where it ran and what ran."""
    lines = []
    for source in ("peers", "growth"):
        facts = part(found, source, "machine")
        if facts:
            words = [f"{facts['cores']} cores" if "cores" in facts else ""]
            words += [str(facts.get(k, "")) for k in ("cpu", "kernel", "compiler", "date")]
            lines.append(f"{SOURCES[source]}: " + ", ".join(w for w in words if w))
    versions = part(found, "peers", "versions")
    if versions:
        lines.append(", ".join(f"{name_of(k)} {v}" for k, v in versions.items()
                               if v and k != "weir2"))
    return "".join(f'<p class="machine">{html.escape(line)}</p>' for line in lines)


def key(found):
    """Every server in its colour; pressing one lets it stand out in all charts."""
    seen = {}
    for point in (part(found, "peers", "points") or {}).values():
        for name in point.get("servers", {}):
            seen.setdefault(colour_of(name), name)
    items = "".join(f'<li class="s-{c}"><button value="{c}" aria-pressed="false">'
                    f"{html.escape(name_of(name))}</button>" for c, name in seen.items())
    return f'<ul class="key" aria-label="servers">{items}</ul>' if items else ""


def memory_figures(found):
    memory = part(found, "peers", "memory")
    if memory:
        shown = bars.by_server(memory["servers"], "idle_bytes", "subscribed_bytes")
        yield ("Memory of a connection", bars.chart(
            "Memory of a connection", shown, BYTES, bytes_text, "", IDLE_BYTES),
            f"resident growth of the server at {memory['connections']:,} connections: idle · "
            "subscribed (thin)")


def other_figures(found):
    beside = bars.by_server(part(found, "peers", "bystander") or {}, "p99_9_us")
    if beside:
        alone = part(found, "peers", "bystander")
        yield ("A bystander during broadcasts to 10,000", bars.chart(
            "Bystander's p99.9", [(n, v * 1000, None) for n, v, _ in beside], NS, time_text, ""),
            "p99.9 of its echo; alone: " + ", ".join(
                f"{name_of(n)} {time_text(alone[n]['alone_p99_9_us'] * 1000)}"
                for n, _, _ in beside if alone[n].get("alone_p99_9_us") is not None))
    stuck = part(found, "peers", "stuck") or {}
    grown = bars.by_server(stuck, "grown_bytes")
    if grown:
        yield ("8 MiB to 100 receivers that do not read: memory", bars.chart(
            "Memory grown", grown, BYTES, bytes_text, "grown", STUCK_BYTES),
            f"dashed: the target, {bytes_text(STUCK_BYTES)}")
    pause = bars.by_server(stuck, "longest_pause_ms")
    if pause:
        yield ("… and the loop's longest pause", bars.chart(
            "Longest pause", [(n, v * 1e6, None) for n, v, _ in pause], NS, time_text, "",
            STUCK_MS * 1e6), f"dashed: the target, {STUCK_MS} ms")


def instruction_figures(found):
    for point in (part(found, "instructions", "points") or {}).values():
        shown = sorted(((name, value, None) for name, value in point.items()
                        if isinstance(value, (int, float)) and name != "target"
                        and not name.endswith("_alone")), key=lambda r: r[1])
        if shown:
            goal = point.get("target")
            alone = ", ".join(f"{name_of(n.removesuffix('_alone'))} {digits(v)}"
                              for n, v in point.items() if n.endswith("_alone"))
            yield (point["title"], bars.chart(
                point["title"], shown, COUNT, digits, "instructions", goal),
                (f"dashed: the target, {goal}. " if goal else "")
                + (f"One connection alone: {alone}." if alone else ""))


def whole(found):
    """The page's text."""
    reference = (found["peers"] or {}).get("reference", "uws")
    rival = html.escape(name_of(reference))
    rows_say = ("Each dot is a round, the upright tick their median; the ratio is to "
                f"{rival}, whose median is the dotted line. A triangle over weir's row marks the "
                "target. “weir again” is a second copy of the same program in the same rounds: "
                "what lies between the two is noise. “Beyond” is off the scale, its figure true.")
    growth = found["growth"]
    parts = [
        f"<section><h2>Targets</h2><p>Ratios are to {name_of('uws')} in the same run: below 1 is "
        f"less CPU.</p>{target_table(found)}</section>",
        section("CPU per operation", rows_say, cpu.figures(
            found, lambda k: not cpu.is_fanout(k)), "peers"),
        section("Broadcast: CPU per delivery", "One message to many. " + rows_say.split(". ")[0]
                + ".", cpu.figures(found, cpu.is_fanout), "peers"),
        section("Latency by percentile", "Each step to the right is a nine more. A server is "
                "loaded to a share of what it can do itself, which stands beside its name: a "
                "slower one is asked for less.",
                latency.spectra(part(found, "peers", "spectra") or {}), "peers"),
        section("p99 against throughput", "The rate is raised until latency breaks away: the "
                "knee, ringed. Grey: the other servers.",
                latency.knees(part(found, "peers", "knees") or {}), "peers"),
        section("What grows with connections", "Flat is good: a message should cost the same "
                "whoever else is connected. The kernel's own part grows with its sockets: raw "
                "epoll, the floor, shows by how much.",
                crowds.charts(growth) if growth else (), "growth"),
        section("Memory", "Of the server's process, without the kernel's socket buffers.",
                memory_figures(found), "peers"),
        section("Others must not notice", "A large broadcast, a receiver that does not read: what "
                "the rest of the connections feel.", other_figures(found), "peers"),
        section("Instructions per message", "Counted, so without noise; the kernel's are not "
                "among them. 100 connections are found readable together.",
                instruction_figures(found), "instructions")]
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>weir: measured</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{style()}</style><h1>weir, measured</h1>{machine(found)}{key(found)}"
            f"{''.join(parts)}<script>{SCRIPT}</script></html>\n")
