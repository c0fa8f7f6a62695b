"""Asks aiconfigurator: run by a Python that has it, reads a question a line as JSON, prints an answer a line.

A question: `id`, `arguments` of `aiconfigurator.cli.api.cli_estimate`, `batches` to try: the first one that it has room for, or
of all the one of most tokens/s where `best` is true. An answer: times in ms, tokens/s of the worker, or why there is none. It looks for
the version of its tables anew with every question, which takes most of its time: the first so many questions (the argument) are asked
twice as it comes and the second time is taken, the others with that look-up kept.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import json
import logging
import sys
import time
import warnings
from typing import Any

MODES = ("SILICON", "HYBRID")
"""Its measured tables, and where those have a gap what it estimates beside them."""


def ask(estimate: Any, question: dict[str, Any]) -> dict[str, Any]:
    """The answer to one question."""
    found: list[dict[str, Any]] = []
    problem = ""
    for batch, mode in [(batch, mode) for mode in MODES for batch in question["batches"]]:
        if found and found[0]["mode"] != mode:
            break
        try:
            said = estimate(**question["arguments"], batch_size=batch, database_mode=mode)
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {error}"[:300]
            continue
        made = {"ttft": float(said.ttft), "tpot": float(said.tpot), "rate": float(said.raw["tokens/s"])}
        found.append({**made, "mode": mode})
        if not question["best"]:
            break
    if not found:
        return {"problem": problem}
    return max(found, key=lambda one: one["rate"])


def main() -> None:
    """Answer every line of standard input."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    estimate = importlib.import_module("aiconfigurator.cli.api").cli_estimate
    database: Any = importlib.import_module("aiconfigurator_core.sdk.perf_database")
    timed, answered = int(sys.argv[1]), 0
    for line in sys.stdin:
        question = json.loads(line)
        if answered == timed:
            database.get_supported_databases = functools.cache(database.get_supported_databases)
        answer = ask(estimate, question)
        if "problem" not in answer:
            begun = time.process_time()
            answer["seconds"] = None
            if answered < timed:
                ask(estimate, question)
                answer["seconds"] = time.process_time() - begun
            answered += 1
        version = importlib.metadata.version("aiconfigurator")
        sys.stdout.write(json.dumps({"id": question["id"], "version": version, **answer}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
