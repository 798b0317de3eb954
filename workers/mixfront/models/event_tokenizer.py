"""Behaviour sequences to tokens, for blocks that read events themselves."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models._base import RankerConfig
from mixfront.models.behaviour import needed_behaviours
from mixfront.models.mlp import dense


class EventTokenizer(nn.Module):
    """The last events of every behaviour sequence, side by side: (N, S, D), S = `num_events`.

    Each of k sequences keeps its last S // k events and has an affine map of its own from E to
    D; positions without an event are zero, as are those that fill up to S.

    Raises:
        SpecError: If the layout has no behaviour sequence, or more than S.
    """

    def __init__(self, config: RankerConfig, layout: FeatureLayout) -> None:
        super().__init__()
        self._num_events = config.num_events()
        self._behaviours = needed_behaviours(
            layout, "sequence_tokens above 0", "set sequence_tokens=0"
        )
        count = len(self._behaviours)
        self._each = self._num_events // count
        if not self._each:
            raise SpecError(
                f"seq_len {self._num_events} leaves no event for each of the data's {count} "
                f"behaviour sequences; take {count} or more"
            )
        self._weights = config.embedding_dim * config.token_dim
        self.maps = nn.ModuleList(
            dense(config.embedding_dim, config.token_dim) for _ in self._behaviours
        )

    def forward(self, events: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Events (N, all positions, E) and their mask -> tokens (N, S, D) and mask (N, S)."""
        tokens, masks = [], []
        for behaviour, to_token in zip(self._behaviours, self.maps, strict=True):
            own = (events[:, behaviour.positions], mask[:, behaviour.positions])
            kept, there = last_events(*own, self._each)
            # A residual stream starts here: in the weights' precision, also under autocast.
            tokens.append(to_token(kept).to(to_token.weight.dtype))
            masks.append(there)
        there = torch.cat(masks, 1)
        missing = self._num_events - there.shape[1]
        filled = torch.cat(tokens, 1) * there.unsqueeze(2)
        return F.pad(filled, (0, 0, 0, missing)), F.pad(there, (0, missing))

    def flops(self) -> int:
        """Forward FLOPs a sample, 2ED for every position that is kept."""
        positions = sum(min(b.length, self._each) for b in self._behaviours)
        return 2 * self._weights * positions


def last_events(events: Tensor, mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` positions that end with a row's last event, and their mask.

    Padding lies behind a short history: cutting the same positions off all rows would lose it.
    """
    length = mask.shape[1]
    if length <= count:
        return events, mask
    ends = (mask * torch.arange(1, length + 1, device=mask.device)).amax(1)
    starts = (ends - count).clamp(min=0).unsqueeze(1)
    places = starts + torch.arange(count, device=mask.device)
    spread = places.unsqueeze(2).expand(-1, -1, events.shape[2])
    return events.gather(1, spread), mask.gather(1, places)
