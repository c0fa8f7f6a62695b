"""Write the parts of the docs that are made from what the code holds: docs/accuracy.md, docs/claims.md, docs/glossary.md,
docs/keys.md, docs/peer.md, the head of docs/memory.md, and in the README's table of errors the rows of memory and training. The
README's other rows take days of fits: they repeat what their page says, which tests/test_repository.py holds.

Run from the checkout: `python scripts/write_docs.py` rewrites them, `--check` only says whether they are current.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.accuracy import engine_logs, harness, left_out, peer, training_left_out, training_memory  # noqa: E402 - the checkout must be importable first
from tests.accuracy.__main__ import SETS  # noqa: E402 - the checkout must be importable first
from tests.calibration import nested, serving_speed  # noqa: E402 - the checkout must be importable first

LEFT_OUT = "<!-- left out: written by scripts/write_docs.py -->", "<!-- left out: end -->"
PUBLIC, PUBLIC_TRAINING = "engine_logs_public", "training_memory_public"
# speeds with a file of rows that nothing was fitted on
CHECKED = ("collectives", "inference_perf", "training_perf")
# sets with a file of later sources
LATER = ("training_memory", "training_perf")
TITLES = {
    "engine_logs": "serving memory against engine start-up logs",
    PUBLIC: "the same, logs that nothing was fitted on",
    "training_memory": "training memory",
    PUBLIC_TRAINING: "the same, runs that nothing was fitted on",
    "collectives": "collectives",
    "inference_perf": "serving speed",
    "training_perf": "training speed",
    **{f"{name}_public": "the same, rows that nothing was fitted on" for name in CHECKED},
    **{f"{name}_wave2": "the same, rows of later sources, not fitted on either" for name in LATER},
}


def evaluations() -> dict[str, harness.Evaluation]:
    """Every set, evaluated on the repository's own rows, and the engine logs kept for checking."""
    found: dict[str, harness.Evaluation] = {}
    for name in SETS:
        rows = harness.load_rows(harness.REFERENCE / f"{name}.jsonl")
        found[name] = importlib.import_module(f"tests.accuracy.{name}").evaluate(rows)
        if name == "engine_logs":
            found[PUBLIC] = engine_logs.evaluate(engine_logs.check_rows())
        if name == "training_memory":
            path = harness.REFERENCE / f"{PUBLIC_TRAINING}.jsonl"
            found[PUBLIC_TRAINING] = training_memory.evaluate(harness.load_rows(path))
        if name in CHECKED:
            kept = harness.load_rows(harness.REFERENCE / f"{name}_public.jsonl")
            found[f"{name}_public"] = importlib.import_module(f"tests.accuracy.{name}").evaluate(kept)
        if name in LATER:
            later = harness.load_rows(harness.REFERENCE / f"{name}_wave2.jsonl")
            found[f"{name}_wave2"] = importlib.import_module(f"tests.accuracy.{name}").evaluate(later)
    return found


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def accuracy_page(sets: dict[str, harness.Evaluation]) -> str:
    """docs/accuracy.md: the summary table over all sets and the row-by-row table of the engine logs."""
    lines = [
        "# Accuracy on the rows themselves",
        "",
        "Written by `scripts/write_docs.py`. **Most of these rows are ones that constants were fitted on**: the README's table says",
        "what to expect of a build that nobody here has seen, and the sets called *the same* below are rows that nothing was",
        "fitted on. `python -m tests.accuracy SET --rows` prints every row of a set.",
        "",
        "Errors on rows that other people measured (`tests/reference`, each row with its source). Median and p90 are of",
        "the absolute relative error, bias is the median signed error, inside is the share in the stated 80 % interval.",
        "",
        "| what | rows used | figure | n | median | p90 | bias | inside |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, evaluation in sets.items():
        used = {case.row_id for case in evaluation.cases} | {o.row_id for o in evaluation.outcomes}
        title, rows = TITLES[name], f"{len(used)} of {evaluation.rows_read}"
        for metric, cases in harness.by_metric(evaluation.cases).items():
            s = harness.stats(cases)
            inside = "" if s.inside is None else f"{100 * s.inside:.0f} %"
            bias = f"{100 * s.bias:+.1f} %"
            lines.append(
                f"| {title} | {rows} | {metric} | {s.count} | {_percent(s.median)} | {_percent(s.p90)} | {bias} | {inside} |"
            )
            title = rows = ""
        for metric in sorted({o.metric for o in evaluation.outcomes}):
            part = [o for o in evaluation.outcomes if o.metric == metric]
            right = sum(o.observed == o.predicted for o in part)
            lines.append(f"|  |  | {metric} | {len(part)} | {right} right |  |  |  |")
    lines += ["", *_speed_nested(), "", *_training_left_out(), "", *_log_rows(sets["engine_logs"]), ""]
    return "\n".join(lines)


def _speed_nested() -> Iterator[str]:
    rows = [row for name in serving_speed.FILES for row in harness.load_rows(harness.REFERENCE / name)]
    points = [point for point in serving_speed.points_of(rows) if not point.doubt]
    yield "## Serving speed, constants chosen without the source"
    yield ""
    yield "Which constants are fitted was itself chosen by errors of sources left out, which those errors then flatter. Here each part of the"
    yield "sources meets constants that were chosen and fitted on the others alone, of all constants and factors of engines"
    yield "(`python -m tests.calibration serving_speed --nested`, kept in `tests/calibration/left_out`). A choice by rule, blind to one large source,"
    yield "frees launches and products that do not carry over to it, and tokens then err more than where nothing is fitted: the eight"
    yield "that ship hold those at their textbook values because of that, which is knowledge of these sources. A new source may expect"
    yield "errors between those of the page on serving speed and these."
    yield ""
    yield "| figure | n | nothing fitted | chosen and fitted without the source | a table one vote |"
    yield "|---|---:|---:|---:|---:|"
    plain = serving_speed.by_figure(points, serving_speed.residuals(points, serving_speed.PRIORS))
    for metric, (errors, tables) in serving_speed.by_figure(points, nested.kept(points)).items():
        told = " | ".join(
            f"{100 * median:.1f} / {100 * p90:.1f} %"
            for median, p90 in map(harness.spread, (plain[metric][0], errors, tables))
        )
        yield f"| {metric} | {len(errors)} | {told} |"


def _training_left_out() -> Iterator[str]:
    yield "## Training by framework and kind, each source left out"
    yield ""
    yield "Every published run, those that constants are fitted on and those that none is, predicted by constants fitted without all"
    yield "tables of its publisher (`python -m tests.calibration training_memory --left-out`, `training_speed` likewise; the constants of"
    yield "each fold are in `tests/calibration/left_out`). Runs of frameworks with fewer than"
    yield f"{training_left_out.LEAST} rows of a kind stand together as *others*."
    for title, cases in (
        ("peak memory", training_left_out.memory_cases()),
        ("tokens a second and GPU", training_left_out.speed_cases()),
    ):
        yield ""
        yield f"| {title}: framework | kind | sources | n | median | p90 | bias | inside |"
        yield "|---|---|---:|---:|---:|---:|---:|---:|"
        for name, kind, sources, s in training_left_out.by_framework(cases):
            inside = "" if s.inside is None else f"{100 * s.inside:.0f} %"
            yield (
                f"| {name} | {kind} | {sources} | {s.count} | {_percent(s.median)} | {_percent(s.p90)} | {100 * s.bias:+.1f} % | {inside} |"
            )
        median, p90 = harness.one_vote(cases)
        count = len({case.groups["source"] for case in cases})
        yield f"| a source one vote |  | {count} |  | {_percent(median)} | {_percent(p90)} |  |  |"


def _log_rows(evaluation: harness.Evaluation) -> Iterator[str]:
    yield f"## Engine logs, row by row ({evaluation.rows_read} rows)"
    yield ""
    yield "| row | figure | observed | predicted | error |"
    yield "|---|---|---:|---:|---:|"
    for case in evaluation.cases:
        yield (
            f"| {case.row_id} | {case.metric} | {case.observed:,.5g} | {case.predicted:,.5g} | {100 * case.error:+.1f} % |"
        )
    for outcome in evaluation.outcomes:
        words = {True: "yes", False: "no"}
        right = "right" if outcome.observed == outcome.predicted else "wrong"
        yield f"| {outcome.row_id} | {outcome.metric} | {words[outcome.observed]} | {words[outcome.predicted]} | {right} |"
    for row_id, reason in evaluation.set_aside:
        yield f"| {row_id} | set aside | | | {reason} |"


def claims_page() -> str:
    """docs/claims.md: every claim of the source articles beside our figure."""
    from tests.claims.claim import claims_file
    from tests.claims.table import all_claims

    rows = all_claims()
    agreeing = sum(row.agrees for row in rows)
    articles = {a["short"]: a["about"] for a in claims_file()["meta"]["articles"]}
    lines = [
        "# The articles' claims, one by one",
        "",
        f"{len(rows)} claims, {agreeing} agree ({100 * agreeing / len(rows):.0f} %). Written by `scripts/write_docs.py` from",
        "`tests/reference/seed_claims.toml`; the rules of comparison are in `tests/claims/claim.py`.",
        "",
    ]
    by_source = Counter(row.source for row in rows)
    for source, count in by_source.items():
        lines += [f"## {source}: {articles.get(source, '')} ({count})", ""]
        lines += ["| entry | claim | ours | agrees | why not, or under what assumption |", "|---|---|---|---|---|"]
        for row in rows:
            if row.source == source:
                cells = [row.key, row.claim, row.ours, "yes" if row.agrees else "**no**", row.why]
                lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def glossary_page() -> str:
    """docs/glossary.md: every word of the glossary with its meaning and its source."""
    from tui.pages import glossary

    lines = [
        "# Glossary",
        "",
        "Written by `scripts/write_docs.py` from the table that `sizeup help WORD` and the app's `?` read; thresholds are the",
        "engine's own.",
    ]
    for title, section in glossary.SECTIONS:
        lines += ["", f"## {title}", "", "| word | also | what it means | from |", "|---|---|---|---|"]
        for term in section:
            cells = (f"**{term.word}**", ", ".join(term.also), term.means, term.source)
            lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def keys_page() -> str:
    """docs/keys.md: what seven jobs take in keys, every command with its keys, and how to have keys of one's own."""
    from tests.tui import jobs
    from tui.files import commands

    lines = [
        "# Keys",
        "",
        "Written by `scripts/write_docs.py` from the registry of commands and from the tests' own key lists.",
        "",
    ]
    lines += ["## What a job takes", ""]
    lines += [
        "Every key counts, letters too, in a new session that stands at the model. `tests/tui/test_app_jobs.py` presses exactly",
        "these and looks at what stands on screen.",
        "",
        "| job | before | now | keys | ends with |",
        "|---|---:|---:|---|---|",
    ]
    for job in jobs.JOBS:
        lines.append(f"| {job.asks} | {job.before} | {job.count} | {job.words} | {job.shows} |")
    clicks = f"{len(jobs.CLICKS)} clicks"
    lines.append(f"| {jobs.MOUSE_ASKS} | {jobs.MOUSE_BEFORE} clicks | {clicks} | {jobs.mouse_words()} | the bill |")
    lines += [
        "",
        "## Commands, and keys of your own",
        "",
        "`~/.config/sizeup/keys.toml` (`$XDG_CONFIG_HOME/sizeup/keys.toml`) gives a command other keys, a line each:",
        "",
        "```toml",
        'save = "ctrl+w"',
        'jump = ["f11", "alt+j"]',
        'pin = "z"               # one letter: where the results have the focus',
        "```",
        "",
        "Keys are `ctrl+` or `alt+` and a letter, `f1` to `f12`, and for commands of the results one letter. The footer, the help and",
        "the palette show what is in use, `sizeup help keys` too. A line with an unknown command, no such key or the key of another",
        "command is left out and told of, with the nearest command or the other one's name; the other lines count. Fixed are the keys",
        "that every terminal program has.",
        "",
        "| command | keys | where | what it does |",
        "|---|---|---|---|",
    ]
    for command in commands.COMMANDS:
        keys = " or ".join(f"`{commands.key_name(key)}`" for key in command.keys)
        name = f"`{command.id}`" if commands.own_keys(command) else "fixed"
        lines.append(f"| {name} | {keys} | {command.where} | {command.help} |")
    return "\n".join(lines) + "\n"


def _pair(median: float, p90: float) -> str:
    """Two errors as the README says them: in tenths of a percent below ten."""
    shown = (float(f"{100 * error:.1f}") for error in (median, p90))  # as the page has them, so the two round alike
    return " / ".join(f"{error:.{0 if error >= 9.95 else 1}f}" for error in shown) + " %"


def readme_with_errors(readme: str, memory: harness.Evaluation) -> str:
    """The README with the errors of memory and training as sources left out give them. Raises ValueError for a row that is not there."""
    serving, starts = harness.by_metric(memory.cases), memory.outcomes
    right = sum(one.observed == one.predicted for one in starts)
    weights = harness.stats(serving[engine_logs.WEIGHTS])
    rows = {
        "weights of each GPU, serving": (weights.count, _pair(weights.median, weights.p90)),
        "an engine starts or not": (len(starts), f"{right} right"),
    }
    for name, cases in (
        ("KV tokens that fit", serving[engine_logs.KV_TOKENS]),
        ("training memory", training_left_out.memory_cases()),
        ("training speed", training_left_out.speed_cases()),
    ):
        s, votes = harness.stats(cases), harness.one_vote(cases)
        rows[name] = (s.count, f"{_pair(s.median, s.p90)}; a source one vote {_pair(*votes)}")
    for name, (count, errors) in rows.items():
        readme, found = re.subn(
            rf"^\| {name} \| \d+ \|[^|]*\|", f"| {name} | {count} | {errors} |", readme, flags=re.MULTILINE
        )
        if found != 1:
            raise ValueError(f"README.md has {found} rows of {name}")
    return readme


def left_out_section(found: harness.Evaluation) -> str:
    """Serving memory with each source left out of the fits, as Markdown."""
    sources = {source for case in found.cases for source in (case.groups["source"],)}
    used = {case.row_id for case in found.cases} | {outcome.row_id for outcome in found.outcomes}
    right = sum(outcome.observed == outcome.predicted for outcome in found.outcomes)
    lines = [
        LEFT_OUT[0],
        "",
        f"How far to trust it: {len(used)} of {found.rows_read} start-up logs from {len(sources)} sources, each predicted with every constant",
        "fitted on the other sources alone (`tests/accuracy/left_out.py`). *By source* takes the median log of each source: one",
        "source, one vote. The widest misses are listed, and a start within 12 % of the line is called so.",
        "",
        "| figure | logs | median | p90 | bias | sources | median by source | p90 by source |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for metric, cases in harness.by_metric(found.cases).items():
        s, votes = harness.stats(cases), harness.by_source(cases)
        median, p90 = harness.spread(votes)
        lines.append(
            f"| {metric} | {s.count} | {_percent(s.median)} | {_percent(s.p90)} | {100 * s.bias:+.1f} % | {len(votes)} "
            f"| {_percent(median)} | {_percent(p90)} |"
        )
    lines += [f"| starts | {len(found.outcomes)} | {right} right |  |  |  |  |  |", ""]
    worst = sorted((c for c in found.cases if c.metric != engine_logs.ACTIVATION), key=lambda case: -abs(case.error))[
        :8
    ]
    lines += [f"- {case.row_id}: {case.metric} {100 * case.error:+.0f} %" for case in worst]
    return "\n".join([*lines, "", LEFT_OUT[1]])


def with_section(page: str, section: str, marks: tuple[str, str]) -> str:
    """A page with its measured section replaced. Raises ValueError when it has none."""
    start, end = page.find(marks[0]), page.find(marks[1])
    if start < 0 or end < start:
        raise ValueError(f"no section between {marks[0]} and {marks[1]} to replace")
    return page[:start] + section + page[end + len(marks[1]) :]


def main() -> int:
    """Rewrite or check. Returns 0, or 1 when --check finds a page that is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is not current")
    options = parser.parse_args()
    memory, readme, unseen = ROOT / "docs" / "memory.md", ROOT / "README.md", left_out.evaluate()
    pages = {
        memory: with_section(memory.read_text(encoding="utf-8"), left_out_section(unseen), LEFT_OUT),
        readme: readme_with_errors(readme.read_text(encoding="utf-8"), unseen),
        ROOT / "docs" / "accuracy.md": accuracy_page(evaluations()),
        ROOT / "docs" / "claims.md": claims_page(),
        ROOT / "docs" / "peer.md": peer.page(),
        ROOT / "docs" / "glossary.md": glossary_page(),
        ROOT / "docs" / "keys.md": keys_page(),
    }
    stale = 0
    for path, text in pages.items():
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        if current == text:
            continue
        stale += 1
        if options.check:
            print(f"{path.relative_to(ROOT)} is not current: run python scripts/write_docs.py")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
