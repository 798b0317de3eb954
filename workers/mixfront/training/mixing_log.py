"""What a trial's mixing looked like at each evaluation, and pictures of it at the end.

<trial>/mixing/history.json    the numbers of every evaluation
<trial>/mixing/layer<i>.png    matrices at the end, of a few layers
<trial>/mixing/sparsity.png    the numbers as curves

The driver copies them to MLflow. Families without learned mixing matrices have no such folder.
"""

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from torch import nn

from mixfront.models.mixing.view import MixingView, mixing_views
from mixfront.training.artifact_folder import ArtifactFolder
from mixfront.training.pictures.mixing_picture import is_drawable, layer_picture
from mixfront.training.pictures.sparsity_picture import Curve, sparsity_picture
from mixfront.training.sparsity import metric_name, mixing_metrics

FOLDER, HISTORY = "mixing", "history.json"
MAX_LAYERS = 4  # that are drawn, the first and the last among them


class Seen(BaseModel):
    """One evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    tau: float
    metrics: dict[str, float]


_HISTORY = TypeAdapter(list[Seen])


class MixingLog:
    """Keeps a trial's history, and draws it. Makes no collective.

    Args:
        trial_url: The trial's folder.
        name: Of the trial, for titles.
        writes: Whether this rank writes; the others only compute, to the same numbers.
    """

    def __init__(self, trial_url: str, name: str, *, writes: bool) -> None:
        self._folder = ArtifactFolder(f"{trial_url.rstrip('/')}/{FOLDER}")
        self._name = name
        self._writes = writes

    def note(self, ranker: nn.Module, step: int) -> dict[str, float]:
        """Metrics of what the model has just mixed with; nothing if it learns no mixing.

        Args:
            ranker: In eval mode, after a forward without gradients.
            step: Optimizer steps so far.
        """
        views = mixing_views(ranker)
        if not views:
            return {}
        metrics = mixing_metrics(views)
        seen = Seen(step=step, tau=views[0].tau, metrics=metrics)
        if self._writes:
            earlier = [one for one in self._history() if one.step < step]
            self._folder.write(HISTORY, _HISTORY.dump_json([*earlier, seen], indent=1))
        return metrics | {"mixing/tau": seen.tau}

    def draw(self, ranker: nn.Module) -> None:
        """Write the pictures of a model that `note` was told of last."""
        views, history = mixing_views(ranker), self._history()
        if not (views and history and self._writes):
            return
        last = history[-1]
        layers = 1 + max(view.layer for view in views)
        chosen = np.linspace(0, layers - 1, min(MAX_LAYERS, layers)).round().astype(int).tolist()
        for layer in chosen:
            shown = [view for view in views if view.layer == layer and is_drawable(view)]
            if shown:
                title = f"{self._name}, layer {layer} of {layers}, step {last.step:,}"
                picture = layer_picture(f"{title}, tau {last.tau:.3g}", shown)
                self._folder.write(f"layer{layer}.png", picture)
        curves = self._curves([view for view in views if view.layer in chosen], history)
        self._folder.write("sparsity.png", curves)

    def _curves(self, views: list[MixingView], history: list[Seen]) -> bytes:
        curves = [
            Curve(
                layer=view.layer,
                kind=view.kind,
                support=tuple(_of(seen, view, "support") / view.size for seen in history),
                peak=tuple(_of(seen, view, "peak") for seen in history),
            )
            for view in views
        ]
        steps, taus = [seen.step for seen in history], [seen.tau for seen in history]
        return sparsity_picture(f"{self._name}: mixing as tau falls", steps, taus, curves)

    def _history(self) -> list[Seen]:
        if not self._folder.exists(HISTORY):
            return []
        try:
            return _HISTORY.validate_json(self._folder.read(HISTORY))
        except ValidationError:  # torn by a killed writer; it decides nothing
            return []


def _of(seen: Seen, view: MixingView, what: str) -> float:
    return seen.metrics[metric_name(view.kind, what, view.layer)]
