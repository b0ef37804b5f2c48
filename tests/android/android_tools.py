"""Android's packaging tools and a Kotlin compiler, driven as a build would drive them.

`make android-tools` installs them. What runs on a device here runs on this machine's JVM: the
exported classes are compiled against stubs of Android's (android_stubs), read their assets out of
a real APK, and LiteRT in a Python process does the work of its Android library.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
TOOLS = REPOSITORY / ".android-tools"
KOTLIN = TOOLS / "kotlin-compiler" / "lib"
TASK_LIBRARY = TOOLS / "task-library"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
JAVA_LIBRARIES = [Path("/usr/share/java") / name for name in ("junit4.jar", "hamcrest-all.jar")]

_HINT = "run `make android-tools`"
_COMPILER = ("compiler", "stdlib", "script-runtime", "reflect")

_MANIFEST = """\
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{package}"
    android:versionCode="1" android:versionName="1">
  <uses-sdk android:minSdkVersion="24" android:targetSdkVersion="29"/>
  <application android:label="app"/>
</manifest>
"""


def missing_packager() -> str | None:
    """What is missing to build an APK, and how to get it."""
    for name in ("aapt", "aapt2", "zipalign", "apksigner", "keytool"):
        if shutil.which(name) is None:
            return f"no {name}: {_HINT}"
    return None if FRAMEWORK.is_file() else f"no {FRAMEWORK}: {_HINT}"


def missing_compiler() -> str | None:
    """What is missing to compile and run Kotlin."""
    for name in ("java", "javac"):
        if shutil.which(name) is None:
            return f"no {name}: {_HINT}"
    for path in (KOTLIN / "kotlin-compiler.jar", *JAVA_LIBRARIES):
        if not path.is_file():
            return f"no {path}: {_HINT}"
    return None


def missing_task_library() -> str | None:
    """What is missing to read metadata as the task libraries do."""
    return None if TASK_LIBRARY.is_dir() else f"no {TASK_LIBRARY}: {_HINT}"


def needed(missing: str | None) -> pytest.MarkDecorator:
    """Skips where something is missing, but fails in continuous integration, which installs it."""
    if missing is not None and os.environ.get("CI") == "true":
        raise RuntimeError(f"continuous integration has {missing}")
    return pytest.mark.skipif(missing is not None, reason=missing or "")


def told(command: Sequence[str | Path], **options: object) -> str:
    """Runs a tool; returns what it printed, or fails with it."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command[0]} failed:\n{said}"
    return said


@cache
def keystore(folder: Path) -> Path:
    """A key to sign with."""
    path = folder / "test.keystore"
    names = ["-storepass", "android", "-keypass", "android", "-alias", "test", "-dname", "CN=test"]
    told(["keytool", "-genkeypair", "-keystore", path, "-keyalg", "EC", *names])
    return path


def build_apk(
    folder: Path,
    assets: Mapping[str, bytes],
    *,
    package: str,
    no_compress: bool = True,
    tool: str = "aapt2",
) -> Path:
    """An application with these assets, packed, aligned and signed."""
    for name, content in assets.items():
        path = folder / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    manifest = folder / "AndroidManifest.xml"
    manifest.write_text(_MANIFEST.format(package=package))
    packed, aligned, signed = (folder / f"{name}.apk" for name in ("packed", "aligned", "signed"))
    # What `noCompress += "tflite"` becomes; this aapt2 wants the dot, aapt does not.
    if tool == "aapt2":
        command = ["aapt2", "link", "-o", packed, "--manifest", manifest]
        command += ["-0", ".tflite"] if no_compress else []
    else:
        command = ["aapt", "package", "-f", "-F", packed, "-M", manifest]
        command += ["-0", "tflite"] if no_compress else []
    told([*command, "-I", FRAMEWORK, "-A", folder / "assets"])
    told(["zipalign", "-p", "-f", "4", packed, aligned])
    key = ["--ks", keystore(folder.parent), "--ks-pass", "pass:android"]
    told(["apksigner", "sign", *key, "--out", signed, aligned])
    told(["apksigner", "verify", signed])
    return signed


def offset_of(apk: Path, name: str) -> int:
    """Where the content of an entry begins in the file."""
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as file:
        info = archive.getinfo(name)
        file.seek(info.header_offset + 26)
        lengths = file.read(4)
        return (
            info.header_offset
            + 30
            + sum(int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
        )


def compile_stubs(folder: Path) -> Path:
    """The classes of Android, JUnit's runner and LiteRT that exports use."""
    classes = folder / "stubs"
    sources = sorted((HERE / "android_stubs").rglob("*.java"))
    libraries = os.pathsep.join(map(str, JAVA_LIBRARIES))
    told(["javac", "-Xlint:all", "-Werror", "-cp", libraries, "-d", classes, *sources])
    return classes


def compile_kotlin(sources: Sequence[Path], classes: Path, stubs: Path) -> None:
    """Compiles Kotlin; warnings are errors."""
    compiler = [KOTLIN / f"kotlin-{name}.jar" for name in _COMPILER]
    compiler += sorted(KOTLIN.glob("kotlinx-coroutines-core*.jar"))
    path = [KOTLIN / "kotlin-stdlib.jar", stubs, *JAVA_LIBRARIES]
    options = ["-no-stdlib", "-no-reflect", "-Werror", "-jvm-target", "17"]
    java = ["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    java += ["-cp", os.pathsep.join(map(str, compiler))]
    java += ["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", *options]
    told([*java, "-cp", os.pathsep.join(map(str, path)), "-d", classes, *sources])


def run_tests(
    names: Sequence[str], classes: Path, stubs: Path, *, app: Path, test: Path
) -> tuple[int, str]:
    """Runs test classes with JUnit; their assets come out of two APKs.

    Returns:
        The exit code and what JUnit printed.
    """
    path = [classes, stubs, KOTLIN / "kotlin-stdlib.jar", *JAVA_LIBRARIES]
    java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    java += ["-cp", os.pathsep.join(map(str, path))]
    java += [f"-Dapp.apk={app}", f"-Dtest.apk={test}", f"-Dbridge.python={sys.executable}"]
    java += [f"-Dbridge.script={HERE / 'litert_bridge.py'}", "org.junit.runner.JUnitCore"]
    done = subprocess.run([*java, *names], capture_output=True, text=True, check=False, timeout=600)
    return done.returncode, done.stdout + done.stderr
