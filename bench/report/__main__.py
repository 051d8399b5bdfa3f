"""Draws what the benches measured.

    python3 bench/report [--build DIRECTORY]

Reads peers.json, growth.json and instructions.json in DIRECTORY/bench, of which any may be absent,
and writes report.html, one file that needs no other, and report.md, the README's tables.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True

import markdown  # noqa: E402
import page  # noqa: E402
from data import SOURCES, load  # noqa: E402


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", default="build")
    directory = os.path.join(parser.parse_args().build, "bench")
    os.makedirs(directory, exist_ok=True)
    found = load(directory)
    for name, command in SOURCES.items():
        if found[name] is None:
            print(f"bench/report: there is no {name}.json: {command} makes it")
    for name, text in (("report.html", page.whole(found)), ("report.md", markdown.whole(found))):
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        print(path)


if __name__ == "__main__":
    main()
