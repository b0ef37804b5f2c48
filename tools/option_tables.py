"""Write what follows from the fields of configs: `config_fields.json`, and the tables in docs/.

python tools/option_tables.py           write them
python tools/option_tables.py --check   exit 1 where they are not up to date

A table stands in a page between `<!-- options: module:Class -->` and `<!-- end of options -->`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tflite_squeeze.cli import cli
from tflite_squeeze.command_line import config_options
from tflite_squeeze.command_line.config_fields import ASKED_FOR, FIELDS_FILE, described_fields
from tflite_squeeze.command_line.config_options import ConfigOption

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"(<!-- options: (\S+) -->\n).*?(<!-- end of options -->)", re.DOTALL)


def config_options_of_all(group: click.Group, ctx: click.Context) -> Iterator[ConfigOption]:
    """The options of all commands that set a field of a config."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from config_options_of_all(command, ctx)
        elif command is not None:
            yield from (one for one in command.params if isinstance(one, ConfigOption))


def written_files() -> dict[Path, str]:
    """The content that each file should have."""
    # Commands are loaded now, and may have options for fields that the file does not know yet.
    config_options.fields_of = _asked_of_the_config
    options = list(config_options_of_all(cli, click.Context(cli)))
    ours = sorted(one for one in ASKED_FOR if one.startswith("tflite_squeeze."))
    fields = {config: described_fields(config) for config in ours}
    files = {FIELDS_FILE: _one_line_a_field(fields)}
    for page in sorted(ROOT.glob("docs/**/*.md")):
        text = page.read_text()
        if _BLOCK.search(text):
            files[page] = _BLOCK.sub(lambda found: _filled(found, options), text)
    return files


def _asked_of_the_config(config: str) -> dict[str, Any]:
    ASKED_FOR.add(config)
    return described_fields(config)


def _one_line_a_field(fields: dict[str, Any]) -> str:
    """JSON that shows in a difference which field has changed."""
    configs = [
        f'"{config}": {{\n'
        + ",\n".join(f'"{name}": {json.dumps(one, ensure_ascii=False)}' for name, one in of.items())
        + "\n}"
        for config, of in fields.items()
    ]
    return "{\n" + ",\n".join(configs) + "\n}\n"


def _filled(found: re.Match[str], options: list[ConfigOption]) -> str:
    """A page's block, with the table of its config; empty columns are left out."""
    config = f"tflite_squeeze.{found[2]}"
    names = {one.field: f"`{one.opts[0]}`" for one in options if one.config == config}
    rows = [("setting", "option", "default", "meaning")] + [
        (
            f"`{field}`",
            names.get(field, ""),
            _default(schema),
            schema["description"].replace("|", "\\|"),
        )
        for field, schema in described_fields(config).items()
    ]
    columns = [cells for cells in zip(*rows, strict=True) if any(cells[1:])]
    lines = [" | ".join(cells) for cells in zip(*columns, strict=True)]
    lines.insert(1, " | ".join(["---"] * len(columns)))
    return "\n".join([found[1], *(f"| {line} |" for line in lines), "", found[3]])


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    if value in (None, [], "") or isinstance(value, dict):
        return ""
    if isinstance(value, float):
        return f"`{value:g}`"
    words = ", ".join(value) if isinstance(value, list) else value
    return f"`{words if isinstance(words, str) else json.dumps(words)}`"


@click.command(help=__doc__)
@click.option("--check", is_flag=True)
def main(check: bool) -> None:
    """The command line."""
    for path, content in written_files().items():
        if path.read_text() == content:
            continue
        if check:
            raise SystemExit(f"{path} is out of date: run python tools/option_tables.py")
        path.write_text(content)
        click.echo(f"{path.relative_to(ROOT)}: written")


if __name__ == "__main__":
    main()
