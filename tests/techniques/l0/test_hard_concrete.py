"""The gates on numbers worked out by hand."""

import numpy as np
import pytest

from tflite_squeeze.techniques.l0.gates import final_gate, open_probability, sampled_gate

TEMPERATURE, GAMMA, ZETA = 2 / 3, -0.1, 1.1


def test_a_gate_at_its_median():
    # u = 1/2 gives no noise: s = sigmoid(0) = 1/2, stretched 0.5 * 1.2 - 0.1 = 0.5.
    assert float(sampled_gate(np.float32(0), 0.5, TEMPERATURE, GAMMA, ZETA)) == pytest.approx(0.5)


def test_the_noise_is_logistic():
    # u = e / (1 + e) gives log(u / (1 - u)) = 1, which log alpha = -1 takes back.
    u = np.float32(np.e / (1 + np.e))
    assert float(sampled_gate(np.float32(-1), u, 0.5, GAMMA, ZETA)) == pytest.approx(0.5, abs=1e-6)
    # With log alpha = 0 and a temperature of 1/2: sigmoid(2) = 0.880797, stretched 0.956956.
    assert float(sampled_gate(np.float32(0), u, 0.5, GAMMA, ZETA)) == pytest.approx(0.956956)


def test_gates_close_and_open_exactly():
    # sigmoid(x) 1.2 - 0.1 <= 0 where sigmoid(x) <= 1/12: at temperature 1, x <= -log 11 = -2.3979.
    log_alpha = np.float32([-2.41, -2.38, 2.38, 2.41])
    gates = sampled_gate(log_alpha, 0.5, 1.0, GAMMA, ZETA).numpy()
    assert gates[0] == 0.0
    assert 0 < gates[1] < 0.01
    assert 0.99 < gates[2] < 1
    assert gates[3] == 1.0


def test_the_probability_that_a_gate_is_open():
    # At log alpha = 0: sigmoid(2/3 log 11) = 11^(2/3) / (1 + 11^(2/3)) = 0.831812.
    assert float(open_probability(np.float32(0), TEMPERATURE, GAMMA, ZETA)) == pytest.approx(
        11 ** (2 / 3) / (1 + 11 ** (2 / 3))
    )
    shift = TEMPERATURE * np.log(11)
    assert float(open_probability(np.float32(-shift), TEMPERATURE, GAMMA, ZETA)) == pytest.approx(
        0.5
    )


@pytest.mark.parametrize("log_alpha", [-3.0, -1.0, 0.5])
def test_drawn_gates_are_open_as_often_as_computed(log_alpha):
    uniform = (np.arange(100_000) + 0.5) / 100_000
    drawn = sampled_gate(log_alpha, uniform.astype(np.float32), TEMPERATURE, GAMMA, ZETA).numpy()
    expected = float(open_probability(np.float32(log_alpha), TEMPERATURE, GAMMA, ZETA))
    assert np.mean(drawn > 0) == pytest.approx(expected, abs=1e-4)


def test_the_final_gate_has_no_chance_and_no_temperature():
    # sigmoid(0) 1.2 - 0.1 = 0.5; sigmoid(log 3) 1.2 - 0.1 = 0.8; far out exactly 0 and 1.
    log_alpha = np.float32([0, np.log(3), -9, 9])
    np.testing.assert_allclose(final_gate(log_alpha, GAMMA, ZETA), [0.5, 0.8, 0, 1], atol=1e-6)
    assert float(final_gate(np.float32(-2.4), GAMMA, ZETA)) == 0.0
