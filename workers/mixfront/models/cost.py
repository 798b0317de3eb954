"""Counts what a model costs, without training it.

Parameters are counted on the module itself, built on torch's meta device, where it takes no
memory. FLOPs come from the families' closed forms, which are checked against torch's counter on a
forward of that module.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models._base import BlockCost, EventsConfig, RankerConfig
from mixfront.models.activation_memory import blank_rows, count_activations
from mixfront.models.head import head_kind
from mixfront.models.model_cost import PAPER_BATCH, ModelCost, PartCost
from mixfront.models.ranker import Ranker, build_ranker
from mixfront.models.registry import get_family

DEFAULT_EVENTS = 50  # length of a placeholder sequence, unless the config sets it


def count_cost(
    family: str,
    config: RankerConfig,
    *,
    batch_size: int = PAPER_BATCH,
    chunk_dim: int | None = None,
    layout: FeatureLayout | None = None,
    checked: bool = True,
    activations: bool = False,
) -> ModelCost:
    """Count a model without allocating it.

    Args:
        family: Name of a family.
        config: Its config.
        batch_size: Rows of a training step.
        chunk_dim: Without a layout, width of the tokenizer's chunks or semantic groups, one per
            token; D if None. If the model reads events, the last chunk is a behaviour sequence of
            that width, with the config's number of events or else 50; if it reads k sequences
            separately, the last k chunks are.
        layout: Fields of real data, which decide the chunk width and the size of the tables.
        checked: Check the closed form against a counted forward. Takes 0.45 s for a UniMixer,
            nearly all of it in Sinkhorn's many small operations. A search's cost check counts
            hundreds of models, so it skips this and relies on the conformance tests.
        activations: Also count activation memory, with two forwards on the meta device: 0.12 s for
            a UniMixer, 10 to 40 ms for a family without Sinkhorn.

    Raises:
        UnknownNameError: If there is no such family.
        SpecError: If the config needs behaviour sequences and the layout has none.
    """
    entry = get_family(family)
    closed: BlockCost = entry.cost(config)
    built_config = config
    if layout is None:
        built_config, layout = _placeholder_data(config, chunk_dim or config.token_dim)
        embedding = 0
    else:
        embedding = layout.num_rows * config.embedding_dim
    with torch.device("meta"), _NoInitialisation():
        model = build_ranker(family, built_config, layout, auxiliary=False)
    cost = ModelCost(
        family=family,
        config=config,
        batch_size=batch_size,
        embedding_params=embedding,
        tokenizer=PartCost(
            params=_params(model.tokenizer),
            per_sample=model.tokenizer.flops(),
        ),
        blocks=PartCost(
            params=_params(model.stack),
            per_sample=closed.flops_per_sample,
            per_step=closed.flops_per_step + closed.sinkhorn_flops_per_step,
            per_sample_training=closed.training_flops_per_sample,
        ),
        head=PartCost(params=_params(model.head), per_sample=head_kind(entry).flops(config)),
        activations=count_activations(model, layout) if activations else None,
    )
    assert cost.blocks.params == closed.params, (family, cost.blocks.params, closed)
    if checked:
        per_sample = cost.flops_per_sample + closed.training_flops_per_sample
        expected = 2 * per_sample + closed.flops_per_step
        assert forward_flops(model, layout, rows=2) == expected, (family, expected, closed)
    return cost


class _NoInitialisation(TorchFunctionMode):
    """Leaves parameters as they are made: on the meta device they have no values.

    Initialising them nevertheless takes 3 of the 7 ms that a count takes, because torch runs
    its random functions for the meta device in Python.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return (kwargs or {}).get("tensor", args[0] if args else None)
        return func(*args, **(kwargs or {}))


def forward_flops(model: Ranker, layout: FeatureLayout, *, rows: int) -> int:
    """Matmul FLOPs of one forward in training, counted by torch on the model's own device.

    Attention uses the math backend, because torch's counter misses the CPU's fused kernels. The
    counter never includes Sinkhorn.
    """
    inputs = blank_rows(model, layout, rows)
    model.train()  # in eval mode, mixing matrices may be cached
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(*inputs)
    return int(counter.get_total_flops())


def _params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _placeholder_data(config: RankerConfig, chunk_dim: int) -> tuple[RankerConfig, FeatureLayout]:
    """A config and a layout with one field of width `chunk_dim` per token, except a global one.

    Every field is a domain of its own, so that semantic groups are as wide as chunks.
    """
    events = config.events()
    if events is None and config.sequence_pool == "target":
        events = EventsConfig(length=DEFAULT_EVENTS)
    num_sequences = events.num_separate if events else 0
    num_chunks = config.num_tokens - config.global_token
    fields = [
        FieldLayout(name=f"chunk_{index}", domain=f"chunk_{index}", kind="categorical")
        for index in range(max(num_chunks - num_sequences, 1))
    ]
    if events:
        fields += [
            FieldLayout(
                name=f"events_{index}",
                domain=f"chunk_{num_chunks - num_sequences + index}",
                kind="sequence",
                length=events.length,
                timed=events.timed,
                target="chunk_0",
            )
            for index in range(num_sequences)
        ]
    layout = FeatureLayout(fields=tuple(fields), num_rows=0, pad_rows=())
    return config.model_copy(update={"embedding_dim": chunk_dim}), layout
