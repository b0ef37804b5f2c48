"""This package's own layers and models, which exist in both versions of Keras under one name."""

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tflite_squeeze.network.flavors import Flavor, keras_of

PACKAGE = "tflite_squeeze"


class BothVersions:
    """A layer or a model with a subclass for each version of Keras.

    Calling the class makes an instance of the subclass for the version that the arguments belong
    to, so that `isinstance` holds for this class and for the layers of that Keras alike.

    Attributes:
        keras_name: what a saved model calls it, and its subclasses are called.
        keras_base: what it is in Keras, such as "layers.Layer".
        flavor: the version of Keras, of the subclasses.
    """

    keras_name: ClassVar[str]
    keras_base: ClassVar[str] = "layers.Layer"
    flavor: ClassVar[Flavor]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Makes an instance of the subclass for one version of Keras."""
        if hasattr(cls, "flavor"):
            return super().__new__(cls, *args, **kwargs)
        made = cls.in_version(cls._version_for(*args, **kwargs))
        return made.__new__(made, *args, **kwargs)

    @classmethod
    def _version_for(cls, *args: Any, **kwargs: Any) -> Flavor:
        raise NotImplementedError

    @classmethod
    def in_version(cls, flavor: Flavor) -> type[Self]:
        """The subclass for one version of Keras, registered there so that saved models load."""
        hashable: Any = cls
        made: type[Self] = _in_version(hashable, flavor)
        return made

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What Keras brings, such as `weights` and `fit`."""


@cache
def _in_version(cls: type[BothVersions], flavor: Flavor) -> Any:
    keras = keras_of(flavor)
    bases = (cls, attrgetter(cls.keras_base)(keras))
    made = type(cls.keras_name, bases, {"__doc__": cls.__doc__, "flavor": flavor})
    return keras.saving.register_keras_serializable(PACKAGE, cls.keras_name)(made)
