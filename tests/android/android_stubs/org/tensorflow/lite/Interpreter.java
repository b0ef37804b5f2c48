package org.tensorflow.lite;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The public interface of LiteRT's interpreter, as far as exports use it, and its checks of what
 * it is handed; the work is done by LiteRT itself, in a Python process.
 */
public final class Interpreter implements AutoCloseable {
    public static class Options {
        private int numThreads = -1;

        public Options setNumThreads(int numThreads) {
            this.numThreads = numThreads;
            return this;
        }
    }

    private int handle;

    public Interpreter(ByteBuffer model, Options options) {
        if (!(model instanceof MappedByteBuffer)) {
            throw new IllegalArgumentException("the model is not mapped into memory");
        }
        byte[] bytes = new byte[model.remaining()];
        model.duplicate().get(bytes);
        handle = Bridge.open(bytes, options.numThreads);
    }

    public void runForMultipleInputsOutputs(Object[] inputs, Map<Integer, Object> outputs) {
        Map<String, Object> named = new LinkedHashMap<>();
        for (int at = 0; at < inputs.length; at++) {
            named.put("" + at, inputs[at]);
        }
        Map<String, Object> found = new LinkedHashMap<>();
        outputs.forEach((at, buffer) -> found.put("" + at, buffer));
        run("", named, found);
    }

    public void runSignature(
            Map<String, Object> inputs, Map<String, Object> outputs, String signatureKey) {
        run(signatureKey, inputs, outputs);
    }

    public void resetVariableTensors() {
        Bridge.reset(opened());
    }

    @Override
    public void close() {
        if (handle != 0) {
            Bridge.close(handle);
            handle = 0;
        }
    }

    private void run(String signature, Map<String, Object> inputs, Map<String, Object> outputs) {
        Map<String, byte[]> feeds = new LinkedHashMap<>();
        inputs.forEach((name, buffer) -> feeds.put(name, whole((ByteBuffer) buffer)));
        Map<String, byte[]> found = Bridge.run(opened(), signature, feeds, outputs.keySet());
        // Put from where the buffer stands, as LiteRT does it: one that was not rewound overflows.
        found.forEach((name, bytes) -> ((ByteBuffer) outputs.get(name)).put(bytes));
    }

    /** A direct buffer in the order of the machine is copied whole, wherever it stands. */
    private static byte[] whole(ByteBuffer buffer) {
        if (!buffer.isDirect() || buffer.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("a buffer is not direct, or in another byte order");
        }
        byte[] bytes = new byte[buffer.capacity()];
        ByteBuffer copy = buffer.duplicate();
        copy.clear();
        copy.get(bytes);
        return bytes;
    }

    private int opened() {
        if (handle == 0) {
            throw new IllegalStateException("The interpreter has already been closed.");
        }
        return handle;
    }
}
