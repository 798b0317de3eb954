"""How far training has moved a model's mixing matrices from where they started."""

import copy

import torch
from torch import nn

from mixfront.models.mixing.view import MixingView, mixing_patterns, mixing_view


class InitialMixing:
    """The mixing of a fresh model, to compare with what training made of it.

    It copies the initial logits, so it is built before an engine flattens or partitions them. A
    resumed trial builds the same model from its seed before it loads the checkpoint, so no
    checkpoint has to hold them.

    Args:
        ranker: A freshly initialised model.
    """

    def __init__(self, ranker: nn.Module) -> None:
        self._patterns = {
            place: copy.deepcopy(pattern).eval()
            for place, pattern in mixing_patterns(ranker).items()
        }

    @torch.no_grad()
    def distance(self, view: MixingView) -> float:
        """Mean over the view's matrices of |W - W_0|_F / sqrt(m), between 0 and sqrt(2).

        W_0 comes from the initial logits at the view's temperature: a falling temperature changes
        a matrix whose logits never moved, and that is not learning. It is the root mean square
        over rows of how far a row has moved; of large matrices, over a sample of rows.
        """
        pattern = self._patterns[view.place]
        pattern.set_tau(view.tau)
        pattern.fill_cache()
        initial = mixing_view(view.place, pattern)
        assert initial is not None, "a pattern in eval mode without gradients caches its matrices"
        rows = view.rows(view.sample)
        moved = (rows - initial.rows(view.sample).to(rows.device)).square().sum(-1)
        pattern.clear_cache()
        return float(moved.mean(-1).sqrt().mean())
