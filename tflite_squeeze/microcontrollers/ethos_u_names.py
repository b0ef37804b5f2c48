"""The Ethos-U NPUs that the compiler Vela has configurations for."""

from typing import Literal, get_args

# The last number is how many multiply-accumulates it does in a cycle.
EthosU = Literal[
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256",
    "ethos-u65-256", "ethos-u65-512",
    "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048",
]  # fmt: skip
ETHOS_U: tuple[str, ...] = get_args(EthosU)
