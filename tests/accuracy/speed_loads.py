"""What load a row of serving speed was measured under: lengths, users, runs, drafts; nothing that it does not state is guessed."""

from __future__ import annotations

import math
import re
from typing import Any

from engine.serving.draft import tokens_a_step
from tests.accuracy.harness import Row

# Mean prompt and answer tokens, and the limits of the Server scenario (99th percentile): seconds to the first token, tokens/s
# a user. mlcommons/inference_policies, "Scenarios" table; language/*/README.md of mlcommons/inference.
MLPERF = {
    "llama-2-70b": (294, 294, 2.0, 5.0),
    "mixtral-8x7b": (478, 146, 2.0, 5.0),
    "llama-3.1-405b": (9428, 684, 6.0, 1 / 0.175),
    "llama-3.1-8b": (778, 128, 2.0, 10.0),
    "deepseek-r1": (800, 3880, 2.0, 12.5),
}
# Limits of the Interactive scenario where it is stricter.
MLPERF_INTERACTIVE = {
    "llama-2-70b": (0.45, 25.0),
    "llama-3.1-405b": (4.5, 12.5),
    "llama-3.1-8b": (0.5, 1 / 0.03),
}

# requests a user of a closed loop whose length is not stated
UNSTATED_RUN = 3

# standard deviation of those chats' answers over their mean, such that bursts of them come out: nobody stated it
CHATS_DIFFER = 0.7

# requests a user in the closed loops of InferenceX and of aiconfigurator's own runner
PUBLISHED_RUN = 10
# (prompt, answer) of InferenceX's sweeps
SWEEPS = frozenset({(1024, 1024), (1024, 8192), (8192, 1024)})
# tokens ahead under tensor parallelism, and under attention DP, in the one TensorRT-LLM release that InferenceX ran with drafts alone
DRAFTED_RELEASE, DRAFTED, DRAFTED_DP = "1.2.0rc6.post3", 3, 1
# ... and the one that it ran with and without, on the same layouts
EITHER_RELEASE = "1.1.0rc2.post2"

# modes whose tokens a second are those of a whole run
WHOLE_RUNS = ("closed", "burst", "static", "Poisson")

DRAFTERS = (
    ("dflash2", "dflash2"),
    ("dflash", "dflash"),
    ("ngram", "n-?gram"),
    ("mtp", "mtp|nextn"),
    ("eagle", "eagle"),
)
"""(method, words that name it)."""


class Unusable(ValueError):
    """A row that cannot be written as a Scenario, with the reason."""


def benchmark_of(row: Row) -> str:
    """Whose published method a row was measured by: `InferenceX`, `aiconfigurator`, or nobody's (empty).

    aiconfigurator's table repeats runs of InferenceX, to the digit, among those of its own: they have the lengths of its
    sweeps and say how experts are spread, where its own names end in `epnone`.
    """
    source = row["source"] if isinstance(row["source"], dict) else {}
    origin, name = str(source.get("origin", "")), str(source.get("row", ""))
    if "InferenceX" in origin:
        return "InferenceX"
    if not origin.startswith("AIC"):
        return ""
    return "InferenceX" if (row["isl"], row["osl"]) in SWEEPS and "_epnone" not in name else "aiconfigurator"


def run_of(row: Row) -> tuple[object, ...] | None:
    """What tells a run from all others: card, users and both its times. None where a row does not state both.

    Tables that were copied round to hundredths of a millisecond.
    """
    first, token = row["ttft_ms"], row["tpot_ms"]
    if not (first and token):
        return None
    return (row["gpu"], row["concurrency"], round(first, 1), round(token, 2))


def drafts_unsaid(row: Row) -> bool:
    """Whether a row is of a release that its benchmark ran with and without drafts, and does not say which."""
    return benchmark_of(row) == "InferenceX" and EITHER_RELEASE in str(row["engine"]) and not row["spec_decode"]


def answer_of(row: Row) -> float | None:
    """Tokens of an answer: stated, or what the rates of all tokens and of those written leave beside the prompt's."""
    prompt, total, written = row["isl"], row["total_tok_s"], row["output_tok_s"]
    if row["osl"] is None and prompt and total and written and total > written:
        return float(prompt * written / (total - written))
    return row["osl"]  # type: ignore[no-any-return]  # of a row that was read


def arrived(row: Row) -> float | None:
    """Users of an engine whose requests arrive at a stated rate: those who were served at once (Little's law)."""
    rate, first, token, answer = row["request_rate"], row["ttft_ms"], row["tpot_ms"], row["osl"]
    if not (rate and first and token and answer):
        return None
    return float(max(1.0, rate * (first + token * (answer - 1)) / 1e3))


def of_chats(row: Row) -> bool:
    """Whether a row is of ShareGPT's chats as benchmarks draw them: a closed loop that says so, or a burst by the mean of its
    prompts, no round number."""
    mode, prompt = str(row["mode"]), row["isl"] or 0
    if mode.startswith("closed"):
        return "ShareGPT" in str(row["notes"])
    return mode.startswith("burst") and 200 <= prompt <= 310 and bool(prompt % 50 and prompt % 64)


def steady(row: Row) -> bool:
    """Whether a closed loop was measured in a window of its steady state: NIM's tables, by genai-perf's measurement interval
    (docs.nvidia.com/nim/benchmarking/llm, step by step)."""
    return str(row["engine"]).startswith("NIM ")


def sent_at_a_rate(row: Row) -> bool:
    """Whether the requests of a burst were sent at a rate: neither all at once nor as answers end."""
    return str(row["mode"]).startswith("burst") and re.search(r"requests at \d+/s", str(row["notes"])) is not None


def spread_of(row: Row) -> float | None:
    """How far a row's answers differ: standard deviation over mean."""
    if benchmark_of(row) == "InferenceX":
        return 0.2 / math.sqrt(12) / 0.9  # even from 0.8 to 1.0 of the stated length
    return CHATS_DIFFER if of_chats(row) else None


def drafts_of(row: Row, dp_attention: bool) -> dict[str, Any]:
    """What a row says of drafts, as fields of a `Runtime`; what it leaves open stays at the app's own default."""
    said = row["spec_decode"]
    if not said and benchmark_of(row) == "InferenceX" and DRAFTED_RELEASE in str(row["engine"]):
        return {"speculative": "mtp", "speculative_tokens": DRAFTED_DP if dp_attention else DRAFTED}
    if not said:
        return {}
    words = f"{said} {row['notes']}".lower() if said is True else str(said).lower()
    method = next((name for name, word in DRAFTERS if re.search(word, words)), None)
    if method is None:
        raise Unusable("drafts of an unknown kind")
    ahead = [
        int(one)
        for one in re.findall(r"k=(\d+)|(\d+) (?:draft )?tokens|(\d+) steps?|mtp(\d)", words)
        for one in one
        if one
    ]
    made: dict[str, Any] = {"speculative": method}
    if ahead:
        made["speculative_tokens"] = min(ahead)
    kept = re.search(r"acceptance (length )?(\d+\.\d+)", words)
    if kept and ahead and kept[1]:
        # the share at which so many tokens a step come out
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if tokens_a_step(min(ahead), middle) < float(kept[2]) else (low, middle)
        made["speculative_accepted"] = low
    elif kept:
        made["speculative_accepted"] = float(kept[2])
    return made
