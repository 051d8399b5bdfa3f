"""A point measured: all servers in turn, round by round, and again while the control differs."""
from . import figures
from .certificates import certificate
from .generator import measure, sample_of, words
from .points import OVER_TCP
from .servers import Failed


def one_attempt(names, rounds, take, tell):
    """Rounds of take(name), a sample, over the names. A server that fails is left out from then on.
    Returns ({name: [sample]}, {name: why it failed})."""
    samples = {name: [] for name in names}
    failed = {}
    for number in range(rounds):
        for name in figures.order(names, number):
            if name not in failed:
                try:
                    samples[name].append(take(name))
                except Failed as error:
                    failed[name] = str(error)
            tell(name)
    for name in failed:
        del samples[name]
    return samples, failed


def until_steady(names, rounds, attempts, take, tell):
    """Attempts until the control's copies agree; keeps the steadiest. Returns (spread, samples,
    failed)."""
    kept = None
    for _ in range(attempts):
        samples, failed = one_attempt(names, rounds, take, tell)
        spread = figures.control_spread(figures.values_of(samples))
        kept = figures.better(kept, (spread, samples, failed))
        if spread is None or figures.is_reliable(spread):
            break
    return kept


def measure_point(point, servers, settings, tell):
    """What the results say of a point, and {name: why a server is missing}."""
    command = words(point.load, settings.seconds, settings.warmup)
    rows = point.rows(list(servers))
    tls = certificate() if point.tls else None
    url = "ws+unix:SOCKET:/" if point.unix else f"ws{'s' if tls else ''}://127.0.0.1:PORT/"

    def take(row):
        name = row.removesuffix(OVER_TCP)
        return sample_of(measure(servers[name], point.mode, command, tls=tls,
                                 deflate=point.deflate, unix=point.unix and name == row))

    spread, samples, failed = until_steady(rows, settings.rounds, settings.attempts, take, tell)
    found = figures.servers_of(samples, settings.reference)
    beside = {row.removesuffix(OVER_TCP): found.pop(row) for row in rows
              if row.endswith(OVER_TCP) and row in found}
    return {
        "title": point.title, "unit": point.unit, "command": " ".join([*command, url]),
        "reliable": figures.is_reliable(spread), "control_spread": spread,
        "rounds": settings.rounds, "servers": found, **({"tcp": beside} if beside else {}),
    }, failed
