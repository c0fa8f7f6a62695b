"""Draw the pictures of the README's tour: the app's own SVG screenshots of the example sessions, in docs/pictures.

Run from the checkout with the test requirements installed: `python scripts/make_pictures.py`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its file name, the example session, the terminal's size, and the keys pressed first."""

    name: str
    example: str
    columns: int
    rows: int
    keys: tuple[str, ...] = ()


CHAT, TWO_NODES, FINE_TUNE = "70b-fp8-one-node.toml", "deepseek-v3-two-nodes.toml", "full-finetune-70b.toml"
TO_GPUS = ("tab",) * 4
PICTURES_OF_THE_TOUR = (
    Picture("workbench", CHAT, 120, 36),
    Picture("inputs-80x24", CHAT, 80, 24),
    Picture("results-80x24", CHAT, 80, 24, ("ctrl+t",)),
    Picture("two-nodes", TWO_NODES, 160, 48),
    Picture("fine-tune", FINE_TUNE, 120, 36),
    Picture("verdict", CHAT, 120, 36, ("ctrl+t", "2")),
    Picture("working", CHAT, 120, 36, ("ctrl+t", "4", "down", "enter")),
    Picture("fabric", TWO_NODES, 120, 36, ("ctrl+t", "5")),
    Picture("scaling", FINE_TUNE, 120, 36, ("ctrl+t", "6")),
    Picture("builds", CHAT, 120, 36, ("ctrl+t", "8")),
    Picture(
        "compare", CHAT, 120, 36, ("ctrl+t", "p", "ctrl+t", *TO_GPUS, "4", "ctrl+t", "p", "ctrl+t", "2", "ctrl+t", "9")
    ),
    Picture("what-if", CHAT, 120, 36, ("ctrl+t", "0")),
)


async def draw(picture: Picture) -> str:
    """The SVG of one picture."""
    import catalog
    from engine.decide.size import size
    from tests.tui.driver import settle
    from tui.app import SizeupApp
    from tui.files import session
    from tui.pages.glyphs import UNICODE

    path = ROOT / "examples" / picture.example
    scenario = session.load(path)
    app = SizeupApp(scenario, path, catalog=catalog.load(), size=size, theme="dark", glyphs=UNICODE)
    app.store.saved = scenario
    async with app.run_test(size=(picture.columns, picture.rows)) as pilot:
        await settle(app)
        for key in picture.keys:
            await pilot.press(key)
        await pilot.pause(0.2)
        await settle(app)
        await pilot.pause(0.2)
        return app.export_screenshot()


def main() -> int:
    """Write every picture. Returns 0."""
    sys.path.insert(0, str(ROOT))
    os.environ.pop("NO_COLOR", None)
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        for picture in PICTURES_OF_THE_TOUR:
            (PICTURES / f"{picture.name}.svg").write_text(asyncio.run(draw(picture)), encoding="utf-8")
            print(f"wrote docs/pictures/{picture.name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
