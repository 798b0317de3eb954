"""Turns behaviour sequences into event tokens, for blocks that read events."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models._base import Events, EventsConfig
from mixfront.models.behaviour_sequences import BehaviourSequence, require_behaviour_sequences
from mixfront.models.layers.mlp import dense


class EventTokenizer(nn.Module):
    """The last events of every behaviour sequence as tokens (N, S, D), S = `config.length`.

    If k sequences are concatenated, each contributes its last S // k events; if they are separate,
    its last S. Every sequence has its own affine map from E to D. Padding is zero.

    Raises:
        SpecError: If the layout has no behaviour sequence, more than S to concatenate, a number
            other than `config.num_separate`, or one without times although ages are needed.
    """

    def __init__(
        self, config: EventsConfig, layout: FeatureLayout, *, embedding_dim: int, token_dim: int
    ) -> None:
        super().__init__()
        self._config = config
        self._sequences = require_behaviour_sequences(
            layout, "sequence_tokens above 0", "set sequence_tokens=0"
        )
        _check_sequences(self._sequences, config)
        shared_by = 1 if config.num_separate > 1 else len(self._sequences)
        self._num_last = config.length // shared_by  # events per sequence
        self._weights = embedding_dim * token_dim
        self.maps = nn.ModuleList(dense(embedding_dim, token_dim) for _ in self._sequences)

    def forward(
        self, events: Tensor, mask: Tensor, ages: Tensor | None = None
    ) -> tuple[Events, ...]:
        """Turn embedded events into tokens.

        Args:
            events: (N, positions of all sequences, E).
            mask: (N, positions of all sequences), False at padding.
            ages: (N, positions of all timed sequences), in seconds; needed if `config.timed`.

        Returns:
            One `Events` per separate sequence, or one for the concatenation.
        """
        parts = [
            self._tokenize(sequence, to_token, events, mask, ages)
            for sequence, to_token in zip(self._sequences, self.maps, strict=True)
        ]
        if self._config.num_separate > 1:
            return tuple(parts)
        return (_concatenate(parts, self._config.length),)

    def _tokenize(
        self,
        sequence: BehaviourSequence,
        to_token: nn.Module,
        events: Tensor,
        mask: Tensor,
        ages: Tensor | None,
    ) -> Events:
        """The last events of one sequence, (N, `_num_last`, D)."""
        inputs = [events[:, sequence.positions]]
        if self._config.timed:
            assert ages is not None, "the model needs ages"
            inputs.append(ages[:, sequence.ages].unsqueeze(2))
        (last, *last_ages), mask = last_events(inputs, mask[:, sequence.positions], self._num_last)
        # A residual stream starts here, in the precision of the weights even under autocast.
        tokens = to_token(last).to(to_token.weight.dtype) * mask.unsqueeze(2)
        padding = self._num_last - mask.shape[1]
        return Events(
            tokens=F.pad(tokens, (0, 0, 0, padding)),
            mask=F.pad(mask, (0, padding)),
            ages=F.pad(last_ages[0].squeeze(2), (0, padding)) if last_ages else None,
        )

    def flops(self) -> int:
        """Forward FLOPs per sample: 2ED per event token."""
        positions = sum(min(s.length, self._num_last) for s in self._sequences)
        return 2 * self._weights * positions


def last_events(
    parts: Sequence[Tensor], mask: Tensor, count: int
) -> tuple[Sequence[Tensor], Tensor]:
    """The `count` positions up to each row's last event, from tensors (N, S, *) and their mask.

    Short histories are padded at the end, so taking the same positions in every row would drop
    their events.
    """
    length = mask.shape[1]
    if length <= count:
        return parts, mask
    ends = (mask * torch.arange(1, length + 1, device=mask.device)).amax(1)
    starts = (ends - count).clamp(min=0).unsqueeze(1)
    positions = starts + torch.arange(count, device=mask.device)
    index = positions.unsqueeze(2)
    last = [part.gather(1, index.expand(-1, -1, part.shape[2])) for part in parts]
    return last, mask.gather(1, positions)


def _concatenate(parts: Sequence[Events], length: int) -> Events:
    """One sequence after another, padded to `length`."""
    ages = [part.ages for part in parts if part.ages is not None]
    tokens = torch.cat([part.tokens for part in parts], 1)
    mask = torch.cat([part.mask for part in parts], 1)
    padding = length - mask.shape[1]
    return Events(
        tokens=F.pad(tokens, (0, 0, 0, padding)),
        mask=F.pad(mask, (0, padding)),
        ages=F.pad(torch.cat(ages, 1), (0, padding)) if ages else None,
    )


def _check_sequences(sequences: Sequence[BehaviourSequence], config: EventsConfig) -> None:
    names, count = ", ".join(s.name for s in sequences), len(sequences)
    if config.num_separate > 1 and config.num_separate != count:
        raise SpecError(
            f"num_sequences {config.num_separate} does not match the data's {count} behaviour "
            f"sequences ({names}); set {count}, or 1 to concatenate them"
        )
    if config.num_separate == 1 and config.length < count:
        raise SpecError(
            f"seq_len {config.length} is too short for the data's {count} behaviour sequences, "
            f"which need one event each; set {count} or more"
        )
    untimed = [s.name for s in sequences if s.ages is None]
    if config.timed and untimed:
        raise SpecError(
            f"position 'rote' needs the times of events, but the schema has no `times` for "
            f"{', '.join(untimed)}; add them, or set position 'rope'"
        )
