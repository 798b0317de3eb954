"""Whether a trial's mixing learns: metrics at each evaluation, and pictures at the end.

<trial>/mixing/history.json    metrics of every evaluation
<trial>/mixing/layer<i>.png    final matrices of a few layers
<trial>/mixing/sparsity.png    metrics as curves

The driver copies them to MLflow. Families without learned mixing have no such folder.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from torch import nn

from mixfront.models.mixing.view import MixingView, Place, mixing_views
from mixfront.training.artifact_folder import ArtifactFolder
from mixfront.training.diagnostics.movement import InitialMixing
from mixfront.training.diagnostics.sparsity import sparsity
from mixfront.training.pictures.mixing_picture import is_drawable, layer_picture
from mixfront.training.pictures.sparsity_picture import Curve, sparsity_picture

FOLDER, HISTORY = "mixing", "history.json"
MAX_LAYERS = 4  # drawn, including the first and the last


class MixingRecord(BaseModel):
    """Mixing metrics of one evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    tau: float
    metrics: dict[str, float]


_HISTORY = TypeAdapter(list[MixingRecord])


class MixingLog:
    """Records a trial's mixing history and draws it. Runs no collectives.

    Args:
        trial_url: Folder of the trial.
        name: Name of the trial, for titles.
        initial: The mixing that the trial started with.
        writes: Whether this rank writes; the others only compute the same metrics.
    """

    def __init__(self, trial_url: str, name: str, initial: InitialMixing, *, writes: bool) -> None:
        self._folder = ArtifactFolder(f"{trial_url.rstrip('/')}/{FOLDER}")
        self._name = name
        self._initial = initial
        self._writes = writes

    def record(
        self, ranker: nn.Module, step: int, gradients: Mapping[Place, float]
    ) -> dict[str, float]:
        """Record and return metrics of the mixing matrices; empty if the model learns none.

        Args:
            ranker: In eval mode, after a forward pass without gradients.
            step: Optimizer steps so far.
            gradients: Norms of the logits' gradients at the last step, if one was taken.
        """
        views = mixing_views(ranker)
        if not views:
            return {}
        metrics = mixing_metrics(views, self._initial, gradients)
        current = MixingRecord(step=step, tau=views[0].tau, metrics=metrics)
        if self._writes:
            earlier = [record for record in self._history() if record.step < step]
            self._folder.write(HISTORY, _HISTORY.dump_json([*earlier, current], indent=1))
        return metrics | {"mixing/tau": current.tau}

    def draw(self, ranker: nn.Module) -> None:
        """Write pictures of the model that was recorded last."""
        views, history = mixing_views(ranker), self._history()
        if not (views and history and self._writes):
            return
        last = history[-1]
        num_layers = 1 + max(view.layer for view in views)
        spread = np.linspace(0, num_layers - 1, min(MAX_LAYERS, num_layers))
        chosen = spread.round().astype(int).tolist()
        for layer in chosen:
            shown = [view for view in views if view.layer == layer and is_drawable(view)]
            if shown:
                title = f"{self._name}, layer {layer} of {num_layers}, step {last.step:,}"
                moved = [_metric(last, view, "distance") for view in shown]
                picture = layer_picture(f"{title}, tau {last.tau:.3g}", shown, moved)
                self._folder.write(f"layer{layer}.png", picture)
        curves = self._curves([view for view in views if view.layer in chosen], history)
        self._folder.write("sparsity.png", curves)

    def _curves(self, views: list[MixingView], history: list[MixingRecord]) -> bytes:
        curves = [
            Curve(
                layer=view.layer,
                kind=view.kind,
                support=tuple(_metric(record, view, "support") / view.size for record in history),
                peak=tuple(_metric(record, view, "peak") for record in history),
                distance=tuple(_metric(record, view, "distance") for record in history),
            )
            for view in views
        ]
        steps = [record.step for record in history]
        taus = [record.tau for record in history]
        return sparsity_picture(f"{self._name}: mixing as tau falls", steps, taus, curves)

    def _history(self) -> list[MixingRecord]:
        if not self._folder.exists(HISTORY):
            return []
        try:
            return _HISTORY.validate_json(self._folder.read(HISTORY))
        except ValidationError:  # truncated by a killed writer; nothing depends on it
            return []


def mixing_metrics(
    views: Sequence[MixingView], initial: InitialMixing, gradients: Mapping[Place, float]
) -> dict[str, float]:
    """Metrics of every view, named `mixing/global_support_layer0` and so on.

    `support` and `peak` come from `sparsity`, `distance` from `InitialMixing`; `grad_norm` is
    missing if no step was taken since the trial was resumed.
    """
    metrics: dict[str, float] = {}
    for view in views:
        support, peak = sparsity(view)
        values = {"support": support, "peak": peak, "distance": initial.distance(view)}
        if view.place in gradients:
            values["grad_norm"] = gradients[view.place]
        metrics |= {metric_name(view.place, what): value for what, value in values.items()}
    return metrics


def metric_name(place: Place, what: str) -> str:
    """Name of a metric; MLflow groups metrics by the part before the slash."""
    layer, kind = place
    return f"mixing/{kind}_{what}_layer{layer}"


def _metric(record: MixingRecord, view: MixingView, what: str) -> float:
    return record.metrics[metric_name(view.place, what)]
