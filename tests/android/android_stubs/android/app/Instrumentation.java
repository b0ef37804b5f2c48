package android.app;

import android.content.Context;
import android.content.res.AssetManager;
import java.io.File;

/** The application under test and the one that tests it, each with an APK of its own. */
public class Instrumentation {
    public Context getTargetContext() {
        return new Context(new AssetManager(new File(System.getProperty("app.apk"))));
    }

    public Context getContext() {
        return new Context(new AssetManager(new File(System.getProperty("test.apk"))));
    }
}
