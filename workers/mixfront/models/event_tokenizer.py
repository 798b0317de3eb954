"""Behaviour sequences to tokens, for blocks that read events themselves."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models._base import Events, EventsConfig
from mixfront.models.behaviour import Behaviour, needed_behaviours
from mixfront.models.layers.mlp import dense


class EventTokenizer(nn.Module):
    """The last events of every behaviour sequence as tokens (N, S, D), S = `asked.length`.

    Side by side, each of k sequences keeps its last S // k events; apart, its last S. Each has an
    affine map of its own from E to D; positions without an event are zero, as are those that
    fill up to S.

    Raises:
        SpecError: If the layout has no behaviour sequence, more than S side by side, another
            number than is to be kept apart, or one without times where ages are wanted.
    """

    def __init__(
        self, asked: EventsConfig, layout: FeatureLayout, *, embedding_dim: int, token_dim: int
    ) -> None:
        super().__init__()
        self._asked = asked
        self._behaviours = needed_behaviours(
            layout, "sequence_tokens above 0", "set sequence_tokens=0"
        )
        _check(self._behaviours, asked)
        self._each = asked.length if asked.apart > 1 else asked.length // len(self._behaviours)
        self._weights = embedding_dim * token_dim
        self.maps = nn.ModuleList(dense(embedding_dim, token_dim) for _ in self._behaviours)

    def forward(
        self, events: Tensor, mask: Tensor, ages: Tensor | None = None
    ) -> tuple[Events, ...]:
        """Make tokens.

        Args:
            events: (N, positions of all sequences, E).
            mask: Where there is one, (N, all positions).
            ages: Seconds, (N, positions of all timed sequences); wanted if they were asked for.

        Returns:
            One for all sequences, or one each where they are kept apart.
        """
        each = [
            self._tokens(behaviour, to_token, events, mask, ages)
            for behaviour, to_token in zip(self._behaviours, self.maps, strict=True)
        ]
        return tuple(each) if self._asked.apart > 1 else (_joined(each, self._asked.length),)

    def _tokens(
        self,
        behaviour: Behaviour,
        to_token: nn.Module,
        events: Tensor,
        mask: Tensor,
        ages: Tensor | None,
    ) -> Events:
        """One sequence's last events, (N, `each`, D)."""
        own = [events[:, behaviour.positions]]
        if self._asked.timed:
            assert ages is not None, "the model reads ages; hand them over"
            own.append(ages[:, behaviour.ages].unsqueeze(2))
        (kept, *old), there = last_events(own, mask[:, behaviour.positions], self._each)
        # A residual stream starts here: in the weights' precision, also under autocast.
        tokens = to_token(kept).to(to_token.weight.dtype) * there.unsqueeze(2)
        missing = self._each - there.shape[1]
        return Events(
            tokens=F.pad(tokens, (0, 0, 0, missing)),
            mask=F.pad(there, (0, missing)),
            ages=F.pad(old[0].squeeze(2), (0, missing)) if old else None,
        )

    def flops(self) -> int:
        """Forward FLOPs a sample, 2ED for every position that is kept."""
        positions = sum(min(b.length, self._each) for b in self._behaviours)
        return 2 * self._weights * positions


def last_events(
    parts: Sequence[Tensor], mask: Tensor, count: int
) -> tuple[Sequence[Tensor], Tensor]:
    """The `count` positions that end with a row's last event, of tensors (N, S, *) and the mask.

    Padding lies behind a short history: cutting the same positions off all rows would lose it.
    """
    length = mask.shape[1]
    if length <= count:
        return parts, mask
    ends = (mask * torch.arange(1, length + 1, device=mask.device)).amax(1)
    starts = (ends - count).clamp(min=0).unsqueeze(1)
    places = starts + torch.arange(count, device=mask.device)
    spread = places.unsqueeze(2)
    kept = [part.gather(1, spread.expand(-1, -1, part.shape[2])) for part in parts]
    return kept, mask.gather(1, places)


def _joined(each: Sequence[Events], length: int) -> Events:
    """Side by side, with what is missing of `length` behind them."""
    ages = [one.ages for one in each if one.ages is not None]
    tokens, mask = torch.cat([one.tokens for one in each], 1), torch.cat([e.mask for e in each], 1)
    missing = length - mask.shape[1]
    return Events(
        tokens=F.pad(tokens, (0, 0, 0, missing)),
        mask=F.pad(mask, (0, missing)),
        ages=F.pad(torch.cat(ages, 1), (0, missing)) if ages else None,
    )


def _check(found: Sequence[Behaviour], asked: EventsConfig) -> None:
    names, count = ", ".join(b.name for b in found), len(found)
    if asked.apart > 1 and asked.apart != count:
        raise SpecError(
            f"num_sequences {asked.apart} does not fit the data's {count} behaviour sequences "
            f"({names}); set {count}, or 1 to lay them side by side"
        )
    if asked.apart == 1 and asked.length < count:
        raise SpecError(
            f"seq_len {asked.length} leaves no event for each of the data's {count} behaviour "
            f"sequences; take {count} or more"
        )
    untimed = [b.name for b in found if b.ages is None]
    if asked.timed and untimed:
        raise SpecError(
            f"position 'rote' needs to know when events happened, and the schema names no `times` "
            f"for {', '.join(untimed)}; add them, or take position 'rope'"
        )
