"""LiteRT for the stubs in android_stubs: runs what their Interpreter is handed.

Reads commands from standard input and answers on standard output; see Bridge.java. Numbers are
big-endian, as Java writes them; tensors are as the machine holds them.
"""

import struct
import sys
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

OPEN, RUN, RESET, CLOSE = 1, 2, 3, 4


class Bridge:
    def __init__(self) -> None:
        self.source, self.target = sys.stdin.buffer, sys.stdout.buffer
        self.opened: dict[int, Any] = {}
        self.count = 0

    def serve(self) -> None:
        while head := self.source.read(4):
            (command,) = struct.unpack(">i", head)
            try:
                answer = self.answer(command)
            except (ValueError, RuntimeError, KeyError) as error:
                self.write(str(error).encode() or b"error")
            else:
                self.write(b"")
                self.target.write(answer)
            self.target.flush()

    def answer(self, command: int) -> bytes:
        if command == OPEN:
            threads, model = self.number(), self.read()
            if threads < 1:
                raise ValueError(f"{threads} threads")
            interpreter = Interpreter(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
            self.count += 1
            self.opened[self.count] = interpreter
            return struct.pack(">i", self.count)
        handle = self.number()
        if command == RUN:
            return self.run(handle)
        if command == RESET:
            self.opened[handle].reset_all_variables()
        else:
            del self.opened[handle]
        return b""

    def run(self, handle: int) -> bytes:
        signature = self.read().decode()
        feeds = {self.read().decode(): self.read() for _ in range(self.number())}
        wanted = [self.read().decode() for _ in range(self.number())]
        interpreter = self.opened[handle]
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if signature:
            runner = interpreter.get_signature_runner(signature)
            takes, gives = runner.get_input_details(), runner.get_output_details()
        else:
            runner = None
            takes = {str(at): detail for at, detail in enumerate(inputs)}
            gives = {str(at): detail for at, detail in enumerate(outputs)}
        if set(takes) != set(feeds) or not set(wanted) <= set(gives):
            raise ValueError(f"takes {set(takes)}, gives {set(gives)}")
        arrays = {name: as_array(name, data, takes[name]) for name, data in feeds.items()}
        if runner is not None:
            found = runner(**arrays)
        else:
            for name, array in arrays.items():
                interpreter.set_tensor(takes[name]["index"], array)
            interpreter.invoke()
            found = {name: interpreter.get_tensor(gives[name]["index"]) for name in wanted}
        parts = [np.ascontiguousarray(found[name]).tobytes() for name in wanted]
        return b"".join(struct.pack(">i", len(part)) + part for part in parts)

    def number(self) -> int:
        return struct.unpack(">i", self.source.read(4))[0]

    def read(self) -> bytes:
        return self.source.read(self.number())

    def write(self, content: bytes) -> None:
        self.target.write(struct.pack(">i", len(content)) + content)


def as_array(name: str, data: bytes, detail: dict[str, Any]) -> Any:
    """A tensor's bytes, of which LiteRT wants exactly as many as it has."""
    array = np.frombuffer(data, detail["dtype"])
    if array.size != np.prod(detail["shape"]):
        raise ValueError(f"{name} takes shape {detail['shape']}; got {array.size} values")
    return array.reshape(detail["shape"])


if __name__ == "__main__":
    Bridge().serve()
