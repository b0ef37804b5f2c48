package android.content;

import android.content.res.AssetManager;

/** An application, which here is no more than its APK. */
public class Context {
    private final AssetManager assets;

    public Context(AssetManager assets) {
        this.assets = assets;
    }

    public AssetManager getAssets() {
        return assets;
    }
}
