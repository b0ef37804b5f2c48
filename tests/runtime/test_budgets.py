from tflite_squeeze.runtime.machine import exceeded


def test_only_what_is_over_is_told() -> None:
    checks = [("a takes", 5, 5), ("b takes", 6, 5), ("c takes", 10**6, None), ("d takes", 5000, 1)]
    assert exceeded(checks) == (
        "b takes 6 bytes, the budget is 5",
        "d takes 5,000 bytes, the budget is 1",
    )
