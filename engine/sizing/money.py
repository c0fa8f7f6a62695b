"""What a build costs to buy, to rent and to run, each price dated."""

from __future__ import annotations

from engine.figures.records import dataclass
from engine.figures.sentences import Sentence


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a bill: what, how many, what each costs, and the date and source of that price.

    age_days: of the price, on the catalog's own date; None undated or entered. key: the session key that a person
    enters the price with, where it is not known. thing: what to ask a seller for then, without remarks. sold: for how many
    GPUs it is, and why, where the build uses fewer.
    """

    item: str
    quantity: int
    usd_each: float | None  # None: unknown
    as_of: str = ""
    source: str = ""
    part: str = ""  # cards, kit, host, network, rack
    age_days: int | None = None
    key: str = ""
    thing: str = ""
    sold: str = ""

    @property
    def usd(self) -> float | None:
        """The whole line; None when the price is unknown."""
        return None if self.usd_each is None else self.usd_each * self.quantity


@dataclass(frozen=True, slots=True)
class Offer:
    """What one provider asks an hour for as many GPUs as the build has."""

    provider: str
    billing: str
    usd_per_hour: float
    as_of: str
    age_days: int | None = None


@dataclass(frozen=True, slots=True)
class Horizon:
    """The ways of having the work done for so many months, USD; None is unknown, or nothing that this workload has.

    own: purchase, electricity, and what was entered beside them. rent: on demand, for the hours used; spot likewise;
    reserved: all hours of the builds, used or not. api: the tokens of the hours used from a hosted API. builds: of the same
    kind that the growth takes by the end, build_months: the months of all of them.
    """

    months: int
    own_usd: float | None
    rent_usd: float | None
    reserved_usd: float | None = None
    spot_usd: float | None = None
    api_usd: float | None = None
    hours: float = 0.0
    builds: int = 1
    build_months: int = 0
    tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class Advised:
    """What the build that the verdict names costs, where it is another one than that entered.

    break_even_months: of a use that goes on. power_w: of all nodes at the wall. ask: as of Cost.
    """

    words: str
    lines: tuple[PriceLine, ...]
    buy_usd: float | None
    whole_usd: float | None
    rent_usd_per_hour: float | None
    rent_usd_per_month: float | None
    electricity_usd_per_month: float | None = None
    break_even_months: float | None = None
    power_w: float | None = None
    ask: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Money, each price dated; None is unknown, never 0.

    usd_per_million_tokens: of output tokens, at the speed of the asked load. api_usd_per_million_tokens: what a hosted
    API asks for the same mixture of prompt and answer, per million output tokens.
    """

    buy_usd: float | None = None
    buy_note: str = ""
    lines: tuple[PriceLine, ...] = ()
    network_note: Sentence = ()  # why no fabric is in the bill of several nodes
    rent_usd_per_hour: float | None = None
    rent_note: str = ""
    rent_usd_per_month: float | None = None
    offers: tuple[Offer, ...] = ()
    own_usd_per_month: float | None = None  # purchase over 36 months, and electricity
    horizons: tuple[Horizon, ...] = ()
    usd_per_million_tokens: float | None = None
    api_usd_per_million_tokens: float | None = None
    api_note: Sentence = ()
    run_usd: float | None = None  # a training run, or the corpus of a batch, at the rental price
    break_even_months: float | None = None
    electricity_usd_per_month: float | None = None
    checkpoint_bytes: int = 0  # one training checkpoint with its optimizer states
    operations_factor: float = 1.0  # engineering time against one node
    operations_note: Sentence = ()
    unknown: tuple[str, ...] = ()
    whole_usd: float | None = None  # the bill with every line of it known, for holding it to a budget
    advised: Advised | None = None
    hours_per_month: float = 0.0  # in which the build is used; of a training run those of its runs
    tokens_per_month: float | None = None  # answer tokens that the build writes in these hours
    break_even_runs: float | None = None  # training runs whose rent would have bought the build
    api_crossing_tokens_per_month: float | None = None  # below so many answer tokens a month the API costs less
    api_words: Sentence = ()  # when an API is the better choice
    operations_fte: float | None = None  # full-time engineers, where a share for one node was entered
    operations_usd_per_month: float | None = None
    ask: str = ""  # the one price to ask a seller for, and the key to enter it with; empty when the main ones are known
