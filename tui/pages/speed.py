"""How fast: serving or training, where the time of a step goes, a corpus of a batch."""

from __future__ import annotations

from engine.decide.answer import enough
from engine.figures.sentences import Figure as Told
from engine.figures.sentences import joined
from engine.sizing import Serving, Sizing
from tui.pages.doc import Line, Span, flow, heading, line, paragraphs, shortened, width_of
from tui.pages.look import Figure, Look, figures, sentence, spans_of
from tui.pages.studies import USERS
from tui.pages.words import count, days, digits, interval, percent, rate, seconds, seconds_interval, usd, users


def speed(sizing: Sizing, look: Look, brief: bool = False) -> list[Line]:
    """How fast: serving or training, each figure with its interval. brief: as many lines for every load."""
    if sizing.serving is not None:
        return _serving(sizing, look, brief)
    if sizing.training is not None and sizing.memory.fits:
        return _training(sizing, look)
    return [
        heading("SPEED", look.width, look.glyphs.rule),
        line((" No speed: the build does not hold the workload.", "dim")),
    ]


def _serving(sizing: Sizing, look: Look, brief: bool) -> list[Line]:
    speed = sizing.serving
    assert speed is not None
    workload = sizing.scenario.workload
    met = speed.meets_targets
    right, style = (
        ("no targets set", "dim")
        if met is None
        else ("meets the targets", "good")
        if met
        else ("misses a target", "bad")
    )
    lines = [heading("SPEED, estimated", look.width, look.glyphs.rule, right, style)]
    judged = workload.kind == "serve" and not brief
    pace, sentence_of_it = enough(speed.tokens_per_s_user) if judged else ("", "")
    lines += (
        _corpus(sizing, speed, look)
        if speed.days is not None
        else _embedding(speed, look)
        if workload.embeds
        else figures(
            [
                Figure("First token", seconds(speed.ttft_s), seconds_interval(speed.ttft_interval), _f("ttft_s")),
                Figure(
                    "Per token",
                    seconds(speed.inter_token_s),
                    seconds_interval(speed.inter_token_interval),
                    _f("inter_token_s"),
                ),
                Figure("One user", f"{rate(speed.tokens_per_s_user)} tok/s", pace, _f("tokens_per_s_user")),
                *_in_all("All users", speed),
                Figure("In links", percent(speed.communication_share), "of a step", _f("communication_share")),
            ],
            look,
        )
    )
    if judged:
        each = Told(f"{rate(speed.tokens_per_s_user)} tok/s", "serving.tokens_per_s_user")
        lines += flow([Span(" "), *spans_of((each, f" a user: {sentence_of_it}."), "dim")], look.width)
    lacks = list(speed.missed)
    if speed.served_concurrency < workload.concurrency and workload.corpus_tokens is None:
        at_once = Told(count(speed.served_concurrency), "serving.served_concurrency")
        asked = Told(count(workload.concurrency), "load.concurrency")
        lacks.insert(0, ("Only ", at_once, " of ", asked, " users run at once, the others wait"))
    if brief and lacks:
        told = shortened(spans_of(joined(lacks, "; "), "bad"), look.width - 3, look.glyphs.ellipsis)
        return [*lines, (Span(f" {look.glyphs.no} ", "bad"), *told)]
    for words in lacks:
        lines += sentence(words, look.width - 1, "bad", "   ", f" {look.glyphs.no} ")
    remark = [Span(f" Limited by {speed.bound_by}. ", "dim"), *_best_load(speed)]
    return [*lines, tuple(remark)] if brief and width_of(remark) <= look.width else lines + flow(remark, look.width)


def _embedding(speed: Serving, look: Look) -> list[Line]:
    """What an embedder reads: requests, how long one takes, and tokens."""
    read = f"{rate(speed.tokens_per_s_total)} tok/s"
    return figures(
        [
            Figure("Requests", f"{digits(speed.requests_per_s)} /s", "", _f("requests_per_s")),
            Figure("A request", seconds(speed.ttft_s), seconds_interval(speed.ttft_interval), _f("ttft_s")),
            Figure("Read", read, interval(speed.tokens_per_s_interval), _f("tokens_per_s_total")),
            Figure("At once", count(speed.served_concurrency), "requests", _f("served_concurrency")),
            Figure("In links", percent(speed.communication_share), "of a pass", _f("communication_share")),
        ],
        look,
    )


def _in_all(label: str, speed: Serving) -> tuple[Figure, Figure]:
    """What the whole build writes, under a label, and the requests that it answers."""
    written = f"{rate(speed.tokens_per_s_total)} tok/s"
    return (
        Figure(label, written, interval(speed.tokens_per_s_interval), _f("tokens_per_s_total")),
        Figure("Requests", f"{digits(speed.requests_per_s)} /s", "", _f("requests_per_s")),
    )


def _corpus(sizing: Sizing, speed: Serving, look: Look) -> list[Line]:
    """How long the corpus of a batch takes and for how much, with what it rests on."""
    work, rent = sizing.scenario.workload, sizing.cost.run_usd
    between, beside, opens = speed.days_interval, "", ""
    if work.deadline_days is not None:
        beside, opens = f"asked {days(work.deadline_days)}", "figure:load.deadline_days"
    elif between is not None:
        beside = f"{days(between.low)} to {days(between.high)}"
    return figures(
        [
            Figure("Corpus", days(speed.days or 0.0), beside, _f("days"), note_action=opens),
            Figure("Rent", "unknown" if rent is None else usd(rent), "of the corpus", "figure:cost.run_usd"),
            Figure("GPU-hours", count(speed.gpu_hours or 0.0), "", _f("gpu_hours")),
            *_in_all("Written", speed),
            Figure("At once", count(speed.served_concurrency), "sequences", _f("served_concurrency")),
        ],
        look,
    )


def _best_load(speed: Serving) -> list[Span]:
    """The users inside the latency targets, or without any the most that run at once, and what they get in all."""
    rate_of_all = Span(f"{rate(speed.best_tokens_per_s_total)} tok/s", "figure", _f("best_tokens_per_s_total"))
    within = speed.users_within_targets
    if within is None:
        most = Span(f"{count(speed.best_concurrency)} run at once", "figure", _f("best_concurrency"))
        return [Span("At most ", "dim"), most, Span(": ", "dim"), rate_of_all, Span(" in all", "dim")]
    if not within:
        return [Span("Not one user within the targets", "warn", _f("users_within_targets"))]
    users_within = Span(users(within), "figure", _f("users_within_targets"))
    spans = [Span("Within the targets: ", "dim"), users_within]
    if within < speed.best_concurrency:
        return [*spans, Span(", all that the KV holds", "dim")]
    return [*spans, Span(", ", "dim"), rate_of_all, Span(" in all", "dim")]


def _f(name: str) -> str:
    return f"figure:serving.{name}"


def _t(name: str) -> str:
    return f"figure:training.{name}"


def _training(sizing: Sizing, look: Look) -> list[Line]:
    run = sizing.training
    assert run is not None
    met = run.meets_deadline
    right, style = (
        ("no deadline set", "dim")
        if met is None
        else ("meets the deadline", "good")
        if met
        else ("misses the deadline", "bad")
    )
    per_gpu = f"{rate(run.tokens_per_s_gpu)} tok/s"
    items = [
        Figure("Run", days(run.days), "wall time", _t("days"), "strong"),
        Figure("Step", seconds(run.step_s), "", _t("step_s")),
        Figure("Per GPU", per_gpu, interval(run.interval), _t("tokens_per_s_gpu")),
        Figure("GPU-hours", rate(run.gpu_hours), "", _t("gpu_hours")),
        Figure(
            "MFU",
            percent(run.mfu),
            f"{digits(run.achieved_tflops)} TFLOP/s",
            _t("mfu"),
            note_action=_t("achieved_tflops"),
        ),
        Figure("Efficiency", percent(run.efficiency), "of one alone", _t("efficiency")),
    ]
    if run.cost_usd is not None and sizing.scenario.money.usd_per_gpu_hour is not None:
        # at the catalog's price it stands with the run
        items.append(Figure("Rent", usd(run.cost_usd), "for the run", _t("cost_usd")))
    share = "figure:ratio(training.exposed_communication_s,training.step_s)"
    items.append(Figure("In links", percent(run.exposed_share), "of a step", share))
    lines = [heading("SPEED, estimated", look.width, look.glyphs.rule, right, style)]
    return lines + figures(items, look)


def speed_parts(sizing: Sizing, look: Look) -> list[Line]:
    """Where the time of a decode step or a training step goes, as bars."""
    parts: list[tuple[str, float, str]] = []
    if sizing.serving is not None:
        speed = sizing.serving
        title = "ONE PASS" if sizing.scenario.workload.embeds else "ONE DECODE STEP"
        parts = [
            ("reading weights", speed.weight_stream_s, _f("weight_stream_s")),
            ("reading KV cache", speed.kv_stream_s, _f("kv_stream_s")),
            ("computing", speed.compute_s, _f("compute_s")),
            ("in links", speed.communication_s, _f("communication_s")),
            ("overhead", speed.overhead_s, _f("overhead_s")),
            ("prefill of others", speed.prefill_interference_s, _f("prefill_interference_s")),
        ]
        remark = "Weights are read while computing, so the parts overlap and need not add up."
    elif sizing.training is not None:
        run = sizing.training
        title = "ONE TRAINING STEP"
        parts = [
            ("computing", run.compute_s, _t("compute_s")),
            ("in links, exposed", run.exposed_communication_s, _t("exposed_communication_s")),
            (
                "in links, hidden",
                run.hidden_communication_s,
                _t("hidden_communication_s"),
            ),
            ("pipeline bubble", run.bubble_s, _t("bubble_s")),
        ]
        remark = "Hidden communication runs beside computing and takes no time of its own."
    else:
        return []
    longest = max(value for _, value, _ in parts) or 1.0
    room = max(8, look.width - 32)
    lines = [heading(title, look.width, look.glyphs.rule)]
    for name, value, action in parts:
        cells = round(value / longest * room)
        mark = look.glyphs.bar * (cells or (1 if value > 0 else 0))
        lines.append(
            line(Span(f" {name:<18} ", "", action), Span(f"{seconds(value):>9}  ", "figure", action), (mark, "accent"))
        )
    lines += paragraphs(remark, look.width - 1, "dim", " ", " ")
    return lines


def speed_more(sizing: Sizing, look: Look) -> list[Line]:
    """The rest of the serving figures."""
    speed = sizing.serving
    if speed is None or sizing.scenario.workload.embeds:
        return []
    return [
        heading("MORE", look.width, look.glyphs.rule),
        *figures(
            [
                Figure("Prompts", f"{rate(speed.prefill_tokens_per_s)} tok/s", "prefill", _f("prefill_tokens_per_s")),
                Figure(
                    "Alone",
                    f"{rate(speed.single_stream_tokens_per_s)} tok/s",
                    "no others",
                    _f("single_stream_tokens_per_s"),
                ),
                Figure(
                    "Offline",
                    f"{rate(speed.offline_tokens_per_s)} tok/s",
                    "kept full",
                    _f("offline_tokens_per_s"),
                ),
                *(_tails(speed, sizing.scenario.workload.kind == "serve")),
                *(
                    []
                    if sizing.scenario.workload.corpus_tokens is not None  # a corpus keeps running what the panel says
                    else [
                        Figure(
                            "Running",
                            users(speed.served_concurrency),
                            "of the asked",
                            _f("served_concurrency"),
                        ),
                        Figure("At most", users(speed.most_at_once), "by the KV", _f("most_at_once")),
                    ]
                ),
            ],
            look,
        ),
    ]


def _tails(speed: Serving, waits: bool) -> list[Figure]:
    """What 95 and 99 of 100 requests stay below, where people wait."""
    if not waits:
        return []
    return [
        Figure(
            "First, tail",
            f"{seconds(speed.ttft_p95_s)} p95",
            f"{seconds(speed.ttft_p99_s)} p99",
            _f("ttft_p95_s"),
            note_action=_f("ttft_p99_s"),
        ),
        Figure(
            "Token, tail",
            f"{seconds(speed.inter_token_p95_s)} p95",
            f"{seconds(speed.inter_token_p99_s)} p99",
            _f("inter_token_p95_s"),
            note_action=_f("inter_token_p99_s"),
        ),
    ]


def speed_load(sizing: Sizing, look: Look) -> list[Line]:
    """What each user and all of them get as they become more, and where the KV cache is full."""
    load = look.studies.load if look.studies is not None else None
    if load is None or not load.points or load.stale(sizing.scenario):
        return []
    now = sizing.scenario.workload.concurrency
    best = max((point.tokens_per_s_total or 0.0 for point in load.points), default=0.0) or 1.0
    room = max(0, look.width - LOAD_COLUMNS)
    lines = [heading("WITH MORE USERS", look.width, look.glyphs.rule, "of this length, on this build; in all: tok/s")]
    head = f"{'users':>7} {'first token':>12} {'tok/s a user':>13} {'':<9} {'in all':>7}"
    lines.append(line((f"  {head}  KV", "dim")))
    for point in load.points:
        users = int(point.value)
        of = "figure:serving." if users == now else f"figure:at:{USERS}={users}@serving."
        held = of.replace("serving.", "memory.")
        mark = look.glyphs.pointer if users == now else " "
        if point.tokens_per_s_total is None or point.ttft_s is None or point.tokens_per_s_user is None:
            lines.append(line((f"{mark} {count(users):>7} {point.verdict}", "dim")))
            continue
        full = point.max_users is not None and point.max_users < users
        cells = round(point.tokens_per_s_total / best * room)
        lines.append(
            line(
                Span(f"{mark} ", "key"),
                Span(
                    f"{count(users):>7}",
                    "strong" if users == now else "",
                    of.replace("serving.", "load.") + "concurrency",
                ),
                Span(f" {seconds(point.ttft_s):>12}", "figure", f"{of}ttft_s"),
                Span(f" {rate(point.tokens_per_s_user):>13}", "figure", f"{of}tokens_per_s_user"),
                Span(f" {enough(point.tokens_per_s_user)[0]:<9}", "dim"),
                Span(f" {rate(point.tokens_per_s_total):>7}", "figure", f"{of}tokens_per_s_total"),
                Span("  full" if full else "  fits", "bad" if full else "dim", f"{held}max_concurrency"),
                (f" {look.glyphs.bar * cells}", "over" if full else "accent"),
            )
        )
    return lines


LOAD_COLUMNS = 62
"""Cells of the table before its bars."""
