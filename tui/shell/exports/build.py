"""What every target is written from: the sizing, what is loaded, and how the layout falls on nodes."""

from __future__ import annotations

from engine.figures.records import dataclass
from engine.figures.sentences import text_of
from engine.scenario import Runtime, Scenario, Workload
from engine.sizing import Sizing
from tui.shell.exports.names import Checkpoint
from tui.shell.exports.text import comment

PORT = 8000
MASTER_PORT = 29500
FIRST_NODE = "NODE_1_ADDRESS"
NODE_RANK = "NODE_RANK"


@dataclass(frozen=True, slots=True)
class Servers:
    """How a layout is started: so many servers, each over `nodes` nodes with `dp` replicas inside."""

    count: int
    nodes: int
    dp: int


@dataclass(frozen=True, slots=True)
class Build:
    """One sized build on its way to a target. notes: what stands on top beside the verdict."""

    sizing: Sizing
    checkpoint: Checkpoint
    notes: tuple[str, ...] = ()

    @property
    def scenario(self) -> Scenario:
        """What was asked."""
        return self.sizing.scenario

    @property
    def work(self) -> Workload:
        """The work."""
        return self.sizing.scenario.workload

    @property
    def runtime(self) -> Runtime:
        """The engine's settings as entered."""
        return self.sizing.scenario.runtime

    @property
    def in_node(self) -> int:
        """Cards of a node."""
        return self.sizing.scenario.hardware.gpus_per_node

    @property
    def servers(self) -> Servers:
        """Replicas that share a node are one server; replicas on other nodes are servers of their own."""
        layout = self.sizing.layout
        if layout.dp_attention:
            return Servers(1, max(1, -(-layout.gpus // self.in_node)), layout.dp)
        one = layout.tp * layout.pp
        if one > self.in_node:
            return Servers(layout.dp, -(-one // self.in_node), 1)
        # one server with replicas and spread experts would spread them over all its replicas
        inside = 1 if layout.ep > 1 else max(1, min(layout.dp, self.in_node // one))
        return Servers(-(-layout.dp // inside), 1, inside)

    @property
    def cards(self) -> int:
        """Cards of one node that one server takes."""
        layout = self.sizing.layout
        return min(self.in_node, layout.tp * layout.pp * self.servers.dp)

    @property
    def max_model_len(self) -> int:
        """The longest sequence that was sized, tokens."""
        return self.sizing.resolved.max_model_len or self.work.tokens_per_request

    @property
    def seats(self) -> int:
        """Users that one replica has at once, of those that are asked for."""
        return max(1, -(-self.work.concurrency // max(1, self.sizing.layout.dp)))

    def head(self, checked: str, *notes: str, loads: bool = True) -> list[str]:
        """The comment on top: the verdict, the versions that the text is written for, what is not said below.

        loads: whether the text names the checkpoint, so that its format matters.
        """
        verdict = self.sizing.verdict
        lines = [text_of(verdict.headline), text_of(verdict.reason)]
        if not verdict.carried:
            lines.append("WARNING: the build as entered does not carry this workload")
        lines.append(f"written for {checked}")
        limit = self.scenario.hardware.power_limit_w
        if limit is not None:
            lines.append(f"before it, on each node: nvidia-smi -pl {limit:g}")
        of_model = (*self.checkpoint.notes, *self.checkpoint.format_notes) if loads else ()
        lines += [f"note: {note}" for note in (*of_model, *self.notes, *notes)]
        return [comment(line) for line in lines]

    def behind_a_balancer(self) -> tuple[str, ...]:
        """Where the replicas are servers of their own, how many of them."""
        servers = self.servers
        if servers.count == 1:
            return ()
        shared = self.in_node >= 2 * self.cards
        alone = "each with its own cards and port" if shared else "each on its own node"
        where = f"each on {servers.nodes} nodes" if servers.nodes > 1 else alone
        return (f"{servers.count} servers of this, {where}, behind a load balancer",)
