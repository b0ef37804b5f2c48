"""How blocks are read from a page, and what quick settings change."""

from pathlib import Path

from tests.docs.pages import Block, blocks, commands, quick


def test_blocks_have_kind_title_and_reason(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '```yaml title="mine.yaml"\nname: mine\n```\n\ntext\n\n'
        "```console\n# not run by the tests: a device\n$ adb devices\n```\n\n```\nplain\n```\n"
    )
    assert blocks(page) == [
        Block("yaml", "name: mine\n", "mine.yaml"),
        Block("console", "# not run by the tests: a device\n$ adb devices\n", None, "a device"),
        Block("", "plain\n"),
    ]


def test_commands_are_read() -> None:
    text = "$ make demo\n$ tflite-squeeze pack 'a b.tflite' \\\n    --force  # again\noutput\n"
    assert commands(text) == [["pack", "a b.tflite", "--force"]]


def test_quick_settings_take_the_samples_and_one_epoch() -> None:
    assert quick("prune m --data fashion-mnist --epochs 12") == (
        "prune m --data models/samples/fashion-mnist.npz --epochs 1"
    )
    assert (
        quick('fit(load("mnist"), epochs=30)') == 'fit(load("models/samples/mnist.npz"), epochs=1)'
    )
    assert quick("--data mine/mnist.npz --epochs 0") == "--data mine/mnist.npz --epochs 0"
