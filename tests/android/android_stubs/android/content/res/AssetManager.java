package android.content.res;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** Reads the assets of an APK; like Android's, it opens a descriptor on stored ones only. */
public final class AssetManager {
    private final File apk;

    public AssetManager(File apk) {
        this.apk = apk;
    }

    public InputStream open(String name) throws IOException {
        try (ZipFile archive = new ZipFile(apk)) {
            return new java.io.ByteArrayInputStream(
                    archive.getInputStream(found(archive, name)).readAllBytes());
        }
    }

    public AssetFileDescriptor openFd(String name) throws IOException {
        try (ZipFile archive = new ZipFile(apk)) {
            ZipEntry entry = found(archive, name);
            if (entry.getMethod() != ZipEntry.STORED) {
                throw new FileNotFoundException(name + ": it is probably compressed");
            }
            return new AssetFileDescriptor(
                    new FileInputStream(apk), offsetOf(entry.getName()), entry.getSize());
        }
    }

    private static ZipEntry found(ZipFile archive, String name) throws IOException {
        ZipEntry entry = archive.getEntry("assets/" + name);
        if (entry == null) {
            throw new FileNotFoundException(name);
        }
        return entry;
    }

    /** Where the content of an entry starts: behind its local header, found by walking them. */
    private long offsetOf(String name) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(apk, "r")) {
            long header = 0;
            while (true) {
                file.seek(header);
                if (Integer.reverseBytes(file.readInt()) != 0x04034b50) {
                    throw new FileNotFoundException(name + " has no local header");
                }
                file.seek(header + 18);
                long size = Integer.toUnsignedLong(Integer.reverseBytes(file.readInt()));
                file.seek(header + 26);
                int nameLength = Short.toUnsignedInt(Short.reverseBytes(file.readShort()));
                int extraLength = Short.toUnsignedInt(Short.reverseBytes(file.readShort()));
                byte[] bytes = new byte[nameLength];
                file.readFully(bytes);
                long content = header + 30 + nameLength + extraLength;
                if (new String(bytes, "UTF-8").equals(name)) {
                    return content;
                }
                header = content + size;
            }
        }
    }
}
