package com.example.exported

import android.content.Context
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** What the exported classes do beyond their golden vectors; the numbers are worked out by hand. */
@RunWith(AndroidJUnit4::class)
class ExportedTest {
    private val app: Context = InstrumentationRegistry.getInstrumentation().targetContext

    private fun assertFloats(vararg expected: Float, found: FloatArray) =
        assertArrayEquals(expected, found, 1e-6f)

    @Test
    fun classesAreNamedAndSorted() =
        Dense(app).use { model ->
            assertFloats(0f, 2.5f, found = model.run(floatArrayOf(1f, 2f, 3f)))
            val found = model.classify(floatArrayOf(1f, 2f, 3f))
            assertEquals(listOf("yes", "no"), found.map { it.label })
            assertEquals(2.5f, found.first().score)
            assertEquals(listOf(1, 3), Dense.FEATURES_SHAPE)
            assertEquals(listOf("no", "yes"), model.labels)
        }

    @Test
    fun wrongSizesThreadsAndUseAfterCloseAreRefused() {
        val model = Dense(app, threads = 1)
        val told = assertThrows(IllegalArgumentException::class.java) { model.run(floatArrayOf(1f)) }
        assertEquals("features takes 3 values (1x3); got 1", told.message)
        model.close()
        model.close()
        assertThrows(IllegalStateException::class.java) { model.run(floatArrayOf(1f, 2f, 3f)) }
        assertThrows(IllegalArgumentException::class.java) { Dense(app, threads = 0) }
    }

    @Test
    fun realsAreRoundedHalfToEvenAndClipped() {
        // Scale 0.5, zero point -3: int8 holds -62.5 to 65; 0.25 and 0.75 lie between two steps.
        Int8(app).use {
            assertFloats(-62.5f, 65f, 0f, 1f, found = it.run(floatArrayOf(-99f, 99f, 0.25f, 0.75f)))
        }
        // Scale 0.25, zero point 7: uint8 holds -1.75 to 62.
        Uint8(app).use {
            assertFloats(-1.75f, 62f, 3f, 1.5f, found = it.run(floatArrayOf(-9f, 99f, 3f, 1.5f)))
        }
        // Scale 2^-10: int16 holds -32 to 32 - 2^-10.
        Int16(app).use {
            assertFloats(-32f, 31.999023f, 0.5f, 0f, found = it.run(floatArrayOf(-99f, 99f, 0.5f, 0f)))
        }
    }

    @Test
    fun everyTypeComesThrough() {
        Bytes(app).use { assertArrayEquals(byteArrayOf(-1, 0, 7), it.run(byteArrayOf(-1, 0, 7))) }
        Integers(app).use { assertArrayEquals(intArrayOf(-9, 0, 7), it.run(intArrayOf(-9, 0, 7))) }
        val long = Long.MAX_VALUE
        Longs(app).use { assertArrayEquals(longArrayOf(long, 0, 7), it.run(longArrayOf(long, 0, 7))) }
        val flags = booleanArrayOf(true, false, true)
        Flags(app).use { assertArrayEquals(flags, it.run(flags)) }
    }

    @Test
    fun packedModelsAreUnpackedOnceAndAgainWhereTheyAreNotWhole() {
        val model = Packed.unpacked(app)
        val whole = model.readBytes()
        assertTrue(model.setLastModified(1_000_000_000_000))
        Packed(app).use { assertFloats(0f, 2.5f, found = it.run(floatArrayOf(1f, 2f, 3f))) }
        assertEquals(1_000_000_000_000, model.lastModified())
        model.writeBytes(whole.copyOf(100))
        assertArrayEquals(whole, Packed.unpacked(app).readBytes())
        assertEquals(listOf(Packed.MODEL_FILE), app.filesDir.list()!!.toList())
    }

    @Test
    fun inputsAndOutputsAreNotMixedUp() =
        TwoEnded(app).use { model ->
            val found = model.run(aB = floatArrayOf(3f, 1f), input1 = floatArrayOf(1f, 5f))
            assertFloats(4f, 6f, found = found.aB2)
            assertFloats(2f, -4f, found = found.output0)
        }

    @Test
    fun rawValuesAreNormalizedPerChannel() {
        val raw = floatArrayOf(255f, 255f, 255f, 0f, 51f, 102f, 0f, 0f, 0f, 0f, 0f, 0f)
        val found = Image.normalized(raw)
        assertFloats(1f, 0.75f, 0.5f, -1f, -0.05f, 0.2f, found = found.copyOf(6))
        Image(app).use { assertEquals("r", it.classify(found).first().label) }
    }

    @Test
    fun cellsStartFromZeroUnlessContinued() =
        Cells(app).use { model ->
            assertFloats(2f, found = model.run(floatArrayOf(2f)))
            assertFloats(3f, found = model.run(floatArrayOf(3f)))
            assertFloats(7f, found = model.run(floatArrayOf(4f), continuing = true))
            assertEquals(5f, model.classify(floatArrayOf(5f)).first().score)
        }

    @Test
    fun variablesGoOnUnlessToldNotTo() =
        Counter(app).use { model ->
            assertFloats(11f, found = model.run(floatArrayOf(1f)))
            assertFloats(12f, found = model.run(floatArrayOf(1f)))
            assertFloats(11f, found = model.run(floatArrayOf(1f), continuing = false))
            assertTrue(model.run(floatArrayOf(1f))[0] == 12f)
        }

    @Test
    fun theFirstSignatureIsCalled() =
        Relu(app).use { assertFloats(0f, 2f, found = it.run(floatArrayOf(-1f, 2f))) }
}
