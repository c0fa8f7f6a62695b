"""The one step that pyproject.toml cannot say: the catalog's JSON twin is made in every build."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithTwin(build_py):
    """Copies the packages, then writes the twin beside the data: of the wheel, or of the checkout when that is installed."""

    def run(self) -> None:
        """Build, and write the twin."""
        super().run()
        twin = runpy.run_path(str(HERE / "catalog" / "twin.py"))
        root = HERE if self.editable_mode else Path(self.build_lib)
        (root / "catalog" / "data" / twin["NAME"]).write_text(twin["twin_text"](), encoding="utf-8")


setup(cmdclass={"build_py": BuildWithTwin})
