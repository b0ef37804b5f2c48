"""What a benchmark has measured, in the JSON file beside its script, so that it can go on later."""

import json
from pathlib import Path
from typing import Any

from tflite_squeeze.files.files import write_atomically


class KeptResults:
    """Results by name.

    Args:
        script: `__file__` of the benchmark.
    """

    def __init__(self, script: str) -> None:
        self._path = Path(script).with_suffix(".json")

    @property
    def known(self) -> dict[str, Any]:
        """What is measured already."""
        if not self._path.exists():
            return {}
        found: dict[str, Any] = json.loads(self._path.read_bytes())
        return found

    def keep(self, name: str, found: Any, *, quiet: bool = False) -> None:
        """Adds a result, and prints it.

        Args:
            name: replaces the result that has it.
            found: as JSON can hold it.
            quiet: for what is too long to be printed.
        """
        if not quiet:
            print(f"{name}: {found}", flush=True)
        known = {**self.known, name: found}
        content = json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_atomically(self._path, content.encode(), force=True)
