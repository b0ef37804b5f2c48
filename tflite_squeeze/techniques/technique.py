"""What a technique is: one object that says what it does and where each of its parts stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import resolve_name as absolute
from pkgutil import resolve_name
from typing import Any, Literal

PartName = Literal["config", "verb", "step", "callback", "record", "claims", "command", "redundant"]
# What a setting says: the share that is removed, the share that is kept, how many there are, bits,
# or a price or bound on what goes.
Softer = Literal["removed", "kept", "count", "bits", "price"]
# "module:name", where a leading dot means the technique's own package; or the object itself.
Part = str | Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Technique:
    """One way to make a model smaller or faster, as recipes, commands and reports see it.

    Its parts are named, not imported, so that the command line can list all techniques without
    TensorFlow: "module:name", such as ".prune:prune" for the function `prune` in the module
    `prune` of the technique's own package. `part` imports one.

    What a technique does to a model is stated as properties ("zeros", "shared values"), never by
    naming another technique; the order in which recipes may use techniques follows from them.

    Attributes:
        name: key of a recipe's step, and name of the command.
        summary: one line for the command's help.
        package: what a leading dot in the name of a part means: the technique's `__package__`.
        config: a frozen pydantic model: what is asked for.
        verb: what users call: (model, config, data, finetune, ...) → (model, record).
        record: a `StepRecord` with the config: what was done, and the tables that show it.
        step: the verb as recipes call it, with a `RunContext` as the keyword context and, for a
            step without training, one_shot; the verb itself where None.
        callback: does the same inside the user's own `model.fit`; None where shapes change.
        claims: (record, names of the model's weights) → `Claimed` by weight: what is checked in the
            bytes of the file. None where nothing in the file could show it.
        command: the click command; None for a technique without one.
        redundant: (config of an earlier step, config of this one) → why this one does nothing
            after it, or None.
        makes: properties that a model has afterwards.
        undoes: property of the model → why the technique destroys it, so that recipes refuse it
            after one that makes the property.
        softer: what those settings mean that a recipe may change where the technique costs too
            much; none where it cannot ask for less.
        trains: whether it is training, and cannot do without data and a `finetune`.
        last: whether no technique can follow.
        quantizes: whether the model then has integers of its own, so that its file is int8.
        resizes: whether weights lose rows or columns; the zeros that earlier steps claim are then
            counted anew.
        elementwise: whether weights change one by one, so that a file without layers will do.
        aliases: other names of the technique in the literature.

    Example:
        >>> from tflite_squeeze.techniques.registry import technique
        >>> technique("prune").part("config")(sparsity=0.9).budget
        'uniform'
    """

    name: str
    summary: str
    package: str = ""
    config: Part
    verb: Part
    record: Part
    step: Part | None = None
    callback: Part | None = None
    claims: Part | None = None
    command: Part | None = None
    redundant: Part | None = None
    makes: tuple[str, ...] = ()
    undoes: Mapping[str, str] = field(default_factory=dict)
    softer: Mapping[str, Softer] = field(default_factory=dict)
    trains: bool = False
    last: bool = False
    quantizes: bool = False
    resizes: bool = False
    elementwise: bool = False
    aliases: tuple[str, ...] = ()

    def part(self, name: PartName) -> Any:
        """One part, imported; None where the technique has none of that name."""
        named = getattr(self, name)
        if name == "step" and named is None:
            named = self.verb
        return resolve_name(absolute(named, self.package)) if isinstance(named, str) else named
