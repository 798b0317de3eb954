"""The behaviour sequences of a layout: histories of the kind of item that is ranked."""

from dataclasses import dataclass

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError


@dataclass(frozen=True, kw_only=True)
class BehaviourSequence:
    """A sequence that shares the embedding table of a categorical field, its target."""

    name: str
    target: int  # index of the target among the fields (N, F, E)
    positions: slice  # its positions among those of all sequences (N, S, E)
    ages: slice | None  # its positions among those of all timed sequences (N, A)

    @property
    def length(self) -> int:
        """Number of positions, padding included."""
        length: int = self.positions.stop - self.positions.start
        return length


def behaviour_sequences(layout: FeatureLayout) -> list[BehaviourSequence]:
    """The behaviour sequences, in layout order."""
    indices = {field.name: index for index, field in enumerate(layout.of_kind("categorical"))}
    sequences, start, age_start = [], 0, 0
    for field in layout.of_kind("sequence"):
        positions = slice(start, start + field.length)
        ages = slice(age_start, age_start + field.length) if field.timed else None
        if field.target is not None:
            target = indices[field.target]
            sequences.append(
                BehaviourSequence(name=field.name, target=target, positions=positions, ages=ages)
            )
        start = positions.stop
        age_start = ages.stop if ages else age_start
    return sequences


def require_behaviour_sequences(
    layout: FeatureLayout, setting: str, remedy: str
) -> list[BehaviourSequence]:
    """The behaviour sequences, for a setting that needs at least one.

    Args:
        layout: Fields of the encoded data.
        setting: The setting, for the error message.
        remedy: What to set instead, for the error message.

    Raises:
        SpecError: If the layout has none.
    """
    sequences = behaviour_sequences(layout)
    if not sequences:
        raise SpecError(
            f"{setting} needs a sequence that shares the table of a categorical feature, but the "
            f"data has none; {remedy}"
        )
    return sequences
