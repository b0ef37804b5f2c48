from tests.runtime.runtime_files import int8_dense_file
from tflite_squeeze.microcontrollers.ethos_u import profile_ethos_u
from tflite_squeeze.microcontrollers.ethos_u_record import CpuOperator
from tflite_squeeze.microcontrollers.ethos_u_tables import ethos_u_tables


def test_an_estimate_is_labelled_as_one() -> None:
    record = profile_ethos_u(int8_dense_file())
    estimate, cpu = ethos_u_tables(record)
    figures = dict(estimate.rows)
    assert estimate.title.endswith("on ethos-u55-128: the compiler's estimate")
    assert "nothing of it was measured on a device" in estimate.notes[0]
    assert figures["SRAM (bytes)"] == record.sram_bytes
    assert figures["weights, compressed (bytes)"] == record.encoded_weights_bytes
    assert figures["inferences/s at 500 MHz"] == record.inferences_per_second
    assert "DRAM (bytes)" not in figures
    assert cpu.rows == ()
    assert cpu.notes[0].startswith("0 operators stay on the CPU, of the 1")


def test_what_stays_on_the_cpu_and_what_is_over_budget() -> None:
    record = profile_ethos_u(int8_dense_file()).model_copy(
        update={
            "cpu_operators": (CpuOperator(name="EXP", count=2, reason="Unsupported opType"),),
            "over_budget": ("too much",),
        }
    )
    estimate, cpu = ethos_u_tables(record)
    assert cpu.rows == (("EXP", 2, "Unsupported opType"),)
    assert "OVER BUDGET: too much" in estimate.notes
