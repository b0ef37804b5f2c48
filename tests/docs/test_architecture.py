"""The page on architecture names the packages that there are, in the order that is checked."""

import re
from configparser import ConfigParser

from tests.conftest import REPOSITORY


def test_the_table_of_packages_is_the_contract_on_their_order() -> None:
    contracts = ConfigParser()
    contracts.read(REPOSITORY / "setup.cfg")
    layers = contracts["importlinter:contract:layers"]["layers"].strip().splitlines()
    page = (REPOSITORY / "docs/design.md").read_text()
    rows = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == [
        set(re.findall(r"tflite_squeeze\.(\w+)", layer)) for layer in layers
    ]


def test_the_contract_on_order_knows_every_package() -> None:
    contract = (REPOSITORY / "setup.cfg").read_text()
    packages = [path.parent.name for path in REPOSITORY.glob("tflite_squeeze/*/__init__.py")]
    assert len(packages) > 15
    assert [name for name in packages if f"tflite_squeeze.{name}" not in contract] == []
