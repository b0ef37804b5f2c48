/** The part of Gradle's language for Android modules that exports use. */
package gradle

class Android {
    fun defaultConfig(set: DefaultConfig.() -> Unit) = DefaultConfig().set()

    fun androidResources(set: AndroidResources.() -> Unit) = AndroidResources().set()
}

class DefaultConfig {
    var minSdk: Int? = null
    var testInstrumentationRunner: String? = null
}

class AndroidResources {
    val noCompress: MutableCollection<String> = mutableListOf()
}

class Dependencies {
    fun implementation(notation: Any): Any? = notation

    fun androidTestImplementation(notation: Any): Any? = notation
}

fun android(set: Android.() -> Unit) = Android().set()

fun dependencies(set: Dependencies.() -> Unit) = Dependencies().set()
