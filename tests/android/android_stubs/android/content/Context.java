package android.content;

import android.content.res.AssetManager;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;

/** An application, which here is no more than its APK and a folder. */
public class Context {
    private final AssetManager assets;
    private File files;

    public Context(AssetManager assets) {
        this.assets = assets;
    }

    public AssetManager getAssets() {
        return assets;
    }

    public File getFilesDir() {
        try {
            if (files == null) {
                files = Files.createTempDirectory("files").toFile();
            }
            return files;
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }
}
