package org.tensorflow.lite;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Talks to the Python process that holds LiteRT; tests/android/litert_bridge.py is the other end. */
final class Bridge {
    private static final int OPEN = 1;
    private static final int RUN = 2;
    private static final int RESET = 3;
    private static final int CLOSE = 4;

    private static DataOutputStream out;
    private static DataInputStream in;

    private Bridge() {}

    static synchronized int open(byte[] model, int threads) {
        return talk(
                () -> {
                    if (out == null) {
                        connect();
                    }
                    out.writeInt(OPEN);
                    out.writeInt(threads);
                    write(model);
                    check();
                    return in.readInt();
                });
    }

    static synchronized Map<String, byte[]> run(
            int handle, String signature, Map<String, byte[]> feeds, Set<String> wanted) {
        return talk(
                () -> {
                    out.writeInt(RUN);
                    out.writeInt(handle);
                    write(signature.getBytes("UTF-8"));
                    out.writeInt(feeds.size());
                    for (Map.Entry<String, byte[]> feed : feeds.entrySet()) {
                        write(feed.getKey().getBytes("UTF-8"));
                        write(feed.getValue());
                    }
                    out.writeInt(wanted.size());
                    for (String name : wanted) {
                        write(name.getBytes("UTF-8"));
                    }
                    check();
                    Map<String, byte[]> found = new LinkedHashMap<>();
                    for (String name : wanted) {
                        found.put(name, read());
                    }
                    return found;
                });
    }

    static synchronized void reset(int handle) {
        command(RESET, handle);
    }

    static synchronized void close(int handle) {
        command(CLOSE, handle);
    }

    private static void command(int command, int handle) {
        talk(
                () -> {
                    out.writeInt(command);
                    out.writeInt(handle);
                    check();
                    return null;
                });
    }

    private interface Talk<T> {
        T call() throws IOException;
    }

    private static <T> T talk(Talk<T> talk) {
        try {
            return talk.call();
        } catch (IOException error) {
            throw new IllegalStateException("the Python process is gone", error);
        }
    }

    private static void connect() throws IOException {
        Process process =
                new ProcessBuilder(
                                System.getProperty("bridge.python"),
                                System.getProperty("bridge.script"))
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        out = new DataOutputStream(new java.io.BufferedOutputStream(process.getOutputStream()));
        in = new DataInputStream(new java.io.BufferedInputStream(process.getInputStream()));
    }

    /** Sends what was written, and raises what the other end has to say against it. */
    private static void check() throws IOException {
        out.flush();
        String complaint = new String(read(), "UTF-8");
        if (!complaint.isEmpty()) {
            throw new IllegalArgumentException(complaint);
        }
    }

    private static void write(byte[] bytes) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static byte[] read() throws IOException {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        return bytes;
    }
}
