"""What each result page holds: pure functions from a Sizing to lines."""

from __future__ import annotations

from collections.abc import Callable

from engine.sizing import Sizing
from tui.pages import memory as memory_parts
from tui.pages import overview as overview_parts
from tui.pages import speed as speed_parts
from tui.pages import to_do
from tui.pages import verdict as verdict_parts
from tui.pages.doc import Line, spaced
from tui.pages.look import Look

TODO_HEIGHT, TODO_LOW = 6, 3
"""Lines that what to do has on the Overview at the least; on a low screen. A page with an end gives it more where it has them."""


def overview(sizing: Sizing, look: Look) -> list[Line]:
    """What decides, in about a dozen lines: memory, what to do, money and the fabric. Speed stands in the answer above."""
    above = overview_parts.memory(sizing, look)
    below = overview_parts.price(sizing, look) + overview_parts.fabric(sizing, look)
    least = TODO_LOW if look.low else TODO_HEIGHT
    free = look.rows - len(above) - len(below) - 2  # blank lines between the three
    return spaced(above, to_do.todo_brief(sizing, look, least, max(least, free)), below)


def verdict(sizing: Sizing, look: Look) -> list[Line]:
    """The steps with their evidence, the build, flips, assumptions and all warnings."""
    return spaced(
        verdict_parts.steps(sizing, look, evidence=True),
        verdict_parts.verdict_more(sizing, look),
        to_do.todo(sizing, look),
    )


def memory(sizing: Sizing, look: Look) -> list[Line]:
    """Bars and figures with their reasons, every group, and the model's counted facts."""
    from tui.pages import drawn, training

    return spaced(
        memory_parts.memory(sizing, look) + memory_parts.memory_reasons(sizing, look),
        drawn.users(sizing, look),
        *training.memory_sections(sizing, look),
        memory_parts.memory_table(sizing, look),
        memory_parts.model(sizing, look),
    )


def speed(sizing: Sizing, look: Look) -> list[Line]:
    """Speed, where the time of a step goes, and what logs of the session measured."""
    if not sizing.scenario.measured:
        return _speed(sizing, look)
    from tui.pages import beside

    return spaced(_speed(sizing, look), beside.section(sizing, look))


def _speed(sizing: Sizing, look: Look) -> list[Line]:
    if sizing.training is not None and sizing.memory.fits:
        from tui.pages import training

        return spaced(speed_parts.speed(sizing, look), *training.speed_sections(sizing, look))
    if sizing.serving is None:
        return speed_parts.speed(sizing, look)
    return spaced(
        speed_parts.speed(sizing, look),
        speed_parts.speed_parts(sizing, look),
        speed_parts.speed_more(sizing, look),
        speed_parts.speed_load(sizing, look),
    )


def fabric(sizing: Sizing, look: Look) -> list[Line]:
    """The drop, the links of each kind, what each parallelism keeps of its speed, and every other link."""
    from tui.pages import fabric as page  # here, as below: the first frame does not need it

    return page.fabric(sizing, look)


def scaling(sizing: Sizing, look: Look) -> list[Line]:
    """Efficiency of each shape of build, time and money against GPUs; for serving, what a GPU still serves."""
    from tui.pages import scaling as page

    return page.scaling(sizing, look, look.studies.scaling if look.studies is not None else None)


def cost(sizing: Sizing, look: Look) -> list[Line]:
    """The bill, rent, owning against renting, unit prices, people, unknown prices, and power."""
    from tui.pages import cost as page
    from tui.pages import drawn

    return spaced(
        page.summary(sizing, look),
        page.bill(sizing, look),
        page.advised(sizing, look),
        page.rent(sizing, look),
        page.horizons(sizing, look),
        drawn.months(sizing, look),
        page.tokens(sizing, look),
        page.operations(sizing, look),
        page.unknown(sizing, look),
        page.power(sizing, look),
        page.housing(sizing, look),
    )


def builds(sizing: Sizing, look: Look) -> list[Line]:
    """The smallest change that is enough, and the builds of the catalog that carry the workload."""
    from tui.pages import builds as page

    return page.builds(sizing, look, look.studies.search) if look.studies is not None else []


def compare(sizing: Sizing, look: Look) -> list[Line]:
    """Pinned builds side by side."""
    from tui.pages import compare as page

    return page.compare(sizing, look, look.studies) if look.studies is not None else []


def what_if(sizing: Sizing, look: Look) -> list[Line]:
    """One input swept."""
    from tui.pages import what_if as page

    return page.what_if(sizing, look, look.studies.sweep) if look.studies is not None else []


PAGES: dict[str, Callable[[Sizing, Look], list[Line]]] = {
    "Overview": overview,
    "Verdict": verdict,
    "Memory": memory,
    "Speed": speed,
    "Fabric": fabric,
    "Scaling": scaling,
    "Cost": cost,
    "Builds": builds,
    "Compare": compare,
    "What if": what_if,
}
