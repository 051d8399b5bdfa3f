"""Runs of weir-bench, and what they must have left."""
import asyncio
import csv
import json
import os
import re
import tempfile

from .faulty import Faulty
from .harness import BUILD, equal

BENCH = f"{BUILD}/bin/weir-bench"
SHORT = ["--warmup", "0.05", "--seconds", "0.2", "--connections", "10"]


class Run:
    """A run that has ended, and what it left."""

    @classmethod
    async def of(cls, *words):
        self = cls()
        child = await asyncio.create_subprocess_exec(
            BENCH, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, errors = await child.communicate()
        self.status, self.out, self.errors = child.returncode, out.decode(), errors.decode()
        return self

    @classmethod
    async def with_reports(cls, *words):
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name) for name in ("run.json", "run.csv")]
            self = await cls.of("--json", names[0], "--csv", names[1], *words)
            assert self.status in (0, 1), f"exit status {self.status}: {self.errors}"
            with open(names[0], encoding="utf-8") as file:
                self.json = json.load(file)
            with open(names[1], encoding="utf-8", newline="") as file:
                self.rows = list(csv.DictReader(file))
        return self


def was_good(bench):
    counts = bench.json["counts"]
    equal((bench.status, bench.json["reasons"]), (0, []))
    equal([counts[key] for key in ("wrong", "lost", "failed")], [0, 0, 0])


def agrees(bench):
    """JSON, CSV and the table tell the same."""
    (row,) = bench.rows
    counts = bench.json["counts"]
    for key in ("operations", "messages_sent", "bytes_received", "wrong", "lost", "failed"):
        equal(row[key], str(counts[key]))
    equal(row["mode"], bench.json["mode"])
    assert abs(float(row["p99_us"]) - bench.json["latency_us"]["p99"]) < 0.01
    assert f"  {counts['wrong']}  wrong, {counts['lost']} lost, " in bench.out, bench.out


async def sees(server, sentence, *words, counted="failed", seconds="0.5"):
    """A server that does something wrong, which is counted and told."""
    bench = await Run.with_reports("--warmup", "0", "--seconds", seconds, *words, server.url())
    agrees(bench)
    equal(bench.status, 1)
    assert bench.json["counts"][counted] > 0, bench.json
    texts = [reason["text"] for reason in bench.json["reasons"]]
    assert any(re.fullmatch(sentence, text) for text in texts), texts
    assert texts[0] in bench.out, bench.out


async def mistake(scope, name, counted, sentence):
    server = await Faulty.start(scope, name)
    await sees(server, sentence, "--connections", "1", "--in-flight", "4", counted=counted)
