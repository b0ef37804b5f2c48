"""How a search is shared by several machines."""

from typing import Self

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen


class Workers(Frozen):
    """Where the workers of one search meet, and what this one does.

    Example:
        >>> Workers(storage="/shared/study.journal").files
        '/shared/study.journal.files'
    """

    storage: str = Field(
        description="Share the search with other machines: a database such as "
        "postgresql://user@host/name, or a journal file in a folder that all of them see. The same "
        "command on each machine joins the search, or comes back to it.",
    )
    artifacts: str | None = Field(
        default=None,
        description="A folder that all workers see, through which their files travel; beside a "
        "journal by default.",
    )
    study: str | None = Field(
        default=None,
        description="Name of the search in its storage, to have more than one of the same model "
        "and data; by default it follows from these.",
    )
    measure_here: bool = Field(
        default=False,
        description="Measure latency on this machine. Where a search is shared, candidates wait "
        "until a worker that does so has timed them.",
    )
    measure_only: bool = Field(
        default=False,
        description="Measure latency on this machine, and train nothing here.",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.is_database and self.artifacts is None:
            raise ValueError(
                "artifacts is what files travel through where storage is a database: name a folder "
                "that all workers see"
            )
        return self

    @property
    def is_database(self) -> bool:
        """Whether the storage is a database's URL."""
        return "://" in self.storage

    @property
    def files(self) -> str:
        """The folder through which files travel."""
        return self.artifacts or f"{self.storage}.files"

    @property
    def measures(self) -> bool:
        """Whether latency is measured on this machine."""
        return self.measure_here or self.measure_only
