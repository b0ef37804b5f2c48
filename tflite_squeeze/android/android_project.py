"""What surrounds the Kotlin class: the libraries that it needs, and how to use it all."""

from tflite_squeeze.android.interface import SELECT_OPS_VERSION, Runtime

LITERT_VERSION = "2.3.2"
MIN_SDK = 24


def dependencies(runtime: Runtime) -> tuple[str, ...]:
    """The libraries that run a file, as Gradle names them.

    Example:
        >>> dependencies(Runtime.LITERT)
        ('com.google.ai.edge.litert:litert:2.3.2',)
    """
    if runtime is Runtime.SELECT_OPS:
        # The interpreter of LiteRT 2 takes no delegates, and so has no select operators.
        return (
            f"org.tensorflow:tensorflow-lite:{SELECT_OPS_VERSION}",
            f"org.tensorflow:tensorflow-lite-select-tf-ops:{SELECT_OPS_VERSION}",
        )
    return (f"com.google.ai.edge.litert:litert:{LITERT_VERSION}",)


def gradle_fragment(runtime: Runtime, *, tested: bool) -> str:
    """What goes into the `build.gradle.kts` of the application's module.

    Args:
        runtime: the library that runs the file.
        tested: whether there is a test to be run on the device.
    """
    libraries = "".join(f'    implementation("{name}")\n' for name in dependencies(runtime))
    runner = tests = ""
    if tested:
        runner = '        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"\n'
        tests = (
            '    androidTestImplementation("androidx.test.ext:junit:1.3.0")\n'
            '    androidTestImplementation("androidx.test:runner:1.7.0")\n'
        )
    return f"""\
// For build.gradle.kts of the application's module. The libraries are in google() and
// mavenCentral().
android {{
    defaultConfig {{
        minSdk = {MIN_SDK} // or higher
{runner}    }}
    androidResources {{
        noCompress += "tflite" // a compressed asset cannot be mapped into memory
    }}
}}

dependencies {{
{libraries}{tests}}}
"""
