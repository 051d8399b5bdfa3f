"""What is computed of measurements: orders, medians, the control's verdict, ratios. No I/O."""
import statistics

CONTROL = ("weir", "weir2")
CONTROL_BOUND = 0.02
PREFERRED_REFERENCES = ("uws", "raw")


def order(names, number):
    """The names as a round takes them: rotated by a place each round, and every other round
    backwards, so that nobody always follows the same server."""
    if not names:
        return []
    place = number // 2 % len(names)
    rotated = names[place:] + names[:place]
    return rotated[::-1] if number % 2 else rotated


def reference_of(names):
    """The server that the others are compared to."""
    return next((name for name in PREFERRED_REFERENCES if name in names),
                names[0] if names else None)


def control_spread(values):
    """By how much the medians of the control's two copies differ; values is {name: list}. None
    without both."""
    one, two = (values.get(name) for name in CONTROL)
    if not one or not two:
        return None
    low, high = sorted((statistics.median(one), statistics.median(two)))
    return (high - low) / low if low > 0 else None


def is_reliable(spread):
    return spread is not None and spread <= CONTROL_BOUND


def better(one, two):
    """Which of two attempts at a point to keep, as (spread, anything): the steadier."""
    if one is None:
        return two
    known = [attempt for attempt in (one, two) if attempt[0] is not None]
    return min(known, key=lambda attempt: attempt[0]) if known else two


def median_of(samples, key):
    known = [sample[key] for sample in samples if sample.get(key) is not None]
    return statistics.median(known) if known else None


def servers_of(samples, reference):
    """{name: what the results say of a server at a point}, of {name: [sample]}, each sample with
    value, per_second, p50_us, p99_us and bytes (of a message that came, as it came)."""
    base = median_of(samples.get(reference, []), "value")
    found = {}
    for name, own in samples.items():
        middle = median_of(own, "value")
        if middle is None:
            continue
        found[name] = {
            "values": [sample["value"] for sample in own if sample.get("value") is not None],
            "median": middle,
            "ratio": middle / base if base else None,
            **{key: median_of(own, key) for key in ("per_second", "p50_us", "p99_us", "bytes")},
        }
    return found


def values_of(samples):
    return {name: [sample["value"] for sample in own if sample.get("value") is not None]
            for name, own in samples.items()}


def merged(old, new):
    """Old results with new ones put in, dictionary by dictionary; neither is changed."""
    result = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result
