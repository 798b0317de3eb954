"""Which of a layout's sequences are histories of the thing that is ranked."""

from dataclasses import dataclass

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """A sequence that shares the table of a categorical field, its target."""

    name: str
    target: int  # place of the target among the fields (N, F, E)
    positions: slice  # its own among the positions of all sequences (N, S, E)
    ages: slice | None  # its own among the ages of all timed sequences (N, A)

    @property
    def length(self) -> int:
        """Positions, filled or not."""
        length: int = self.positions.stop - self.positions.start
        return length


def behaviours(layout: FeatureLayout) -> list[Behaviour]:
    """The behaviour sequences, in the layout's order."""
    places = {field.name: place for place, field in enumerate(layout.of_kind("categorical"))}
    found, at, age_at = [], 0, 0
    for field in layout.of_kind("sequence"):
        positions = slice(at, at + field.length)
        ages = slice(age_at, age_at + field.length) if field.timed else None
        if field.target is not None:
            target = places[field.target]
            found.append(Behaviour(name=field.name, target=target, positions=positions, ages=ages))
        at = positions.stop
        age_at = ages.stop if ages else age_at
    return found


def needed_behaviours(layout: FeatureLayout, setting: str, remedy: str) -> list[Behaviour]:
    """The behaviour sequences, for a setting that cannot do without.

    Raises:
        SpecError: If there are none; says which setting wants them, and the remedy.
    """
    found = behaviours(layout)
    if not found:
        raise SpecError(
            f"{setting} needs a sequence that shares the table of a categorical feature, and the "
            f"data has none; {remedy}"
        )
    return found
