"""What stands for a device: two APKs, and the classes of exports compiled and run on a JVM."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.android import android_tools as tools
from tflite_squeeze.android.export import AndroidExport


def assets(exports: Iterable[AndroidExport], below: str) -> dict[str, bytes]:
    """The assets of exports by name."""
    return {
        path.removeprefix(below): content
        for one in exports
        for path, content in one.files.items()
        if path.startswith(below)
    }


@dataclass(frozen=True)
class Device:
    """An application with exports in it, and the application that tests it."""

    folder: Path
    exports: Mapping[str, AndroidExport]
    app: Path
    test: Path

    def run(self, *classes: str) -> tuple[int, str]:
        """Runs test classes; the exit code and what JUnit printed."""
        return tools.run_tests(
            classes,
            self.folder / "classes",
            self.folder / "stubs",
            app=self.app,
            test=self.test,
        )

    def run_golden_tests(self) -> tuple[int, str]:
        """Replays the golden vectors of every export that has some."""
        names = [
            f"{one.record.config.package}.{one.record.class_name}GoldenTest"
            for one in self.exports.values()
            if one.record.cases
        ]
        return self.run(*names)

    def with_app(self, folder: Path, **options: bool) -> "Device":
        """The same with the application packed in another way."""
        packed = assets(self.exports.values(), "assets/")
        return replace(
            self, app=tools.build_apk(folder, packed, package="com.example.app", **options)
        )

    def with_test_assets(self, folder: Path, content: Mapping[str, bytes]) -> "Device":
        """The same with other golden vectors."""
        return replace(self, test=tools.build_apk(folder, content, package="com.example.test"))


def device_of(
    folder: Path, exports: Mapping[str, AndroidExport], sources: Sequence[Path] = ()
) -> Device:
    """Compiles exports, with their Gradle fragments and further sources, and packs their assets."""
    (folder / "exports").mkdir()
    lines = ["import gradle.*\n"]
    for name, one in exports.items():
        one.save(folder / "exports" / name)
        # Gradle runs the lines as the body of a script.
        fragment = one.files["build.gradle.kts"].decode()
        lines.append(f"fun {name}() {{\n{fragment}}}\n")
    script = folder / "Fragments.kt"
    script.write_text("\n".join(lines))
    kotlin = [*(folder / "exports").rglob("*.kt"), script, *sources]
    kotlin += (tools.HERE / "android_stubs").rglob("*.kt")
    tools.compile_kotlin(kotlin, folder / "classes", tools.compile_stubs(folder))
    whole = list(exports.values())
    vectors = assets(whole, "androidTest/assets/")
    return Device(
        folder=folder,
        exports=exports,
        app=tools.build_apk(folder / "app", assets(whole, "assets/"), package="com.example.app"),
        test=tools.build_apk(folder / "test", vectors, package="com.example.test"),
    )
