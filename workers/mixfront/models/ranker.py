"""A ranking model: tokenizer, stack of blocks, head. Embedding tables are not part of it."""

from typing import Any

import torch
from torch import Tensor, nn

from mixfront.data.batch import FeatureLayout
from mixfront.models._base import RankerConfig, StackContext, StackKind
from mixfront.models.auxiliary_heads import make_auxiliary
from mixfront.models.head import ScalesOutput, head_kind
from mixfront.models.mixing.sinkhorn_pattern import TemperedPattern
from mixfront.models.registry import get_family
from mixfront.models.stack import make_stack
from mixfront.models.tokenizer import Tokenizer


class Ranker(nn.Module):
    """Maps field embeddings to one logit per row.

    Mixing matrices are computed once per forward, and cached in eval mode without gradients.

    logit = logit_scale * head + logit_bias, where both are constants of the model: 1 and 0, or
    set once by `start_quietly`.

    Args:
        config: The family's config.
        layout: Fields of the encoded data.
        stack: (N, T, D) -> (N, T, D); `build_ranker` builds the family's.
        head: Mixed and unmixed tokens (N, T, D) -> logits (N,).
        auxiliary: Whether to build the config's auxiliary heads.
    """

    start_scale: Tensor
    logit_scale: Tensor
    logit_bias: Tensor

    def __init__(
        self,
        config: RankerConfig,
        layout: FeatureLayout,
        stack: nn.Module,
        head: nn.Module,
        *,
        auxiliary: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = Tokenizer(config, layout)
        self.stack = stack
        self.head = head
        self.register_buffer("start_scale", torch.ones(()))  # only says what was done
        self.register_buffer("logit_scale", torch.ones(()))
        self.register_buffer("logit_bias", torch.zeros(()))
        self.register_load_state_dict_pre_hook(_with_start)  # type: ignore[no-untyped-call]  # untyped in torch
        # Built last, so that a seed gives the other weights the same values with or without them.
        self.auxiliary = make_auxiliary(config) if auxiliary else None

    @property
    def uses_events(self) -> bool:
        """Whether `forward` needs events, mask and ages."""
        return self.tokenizer.uses_events

    def forward(
        self,
        fields: Tensor,
        numeric: Tensor,
        events: Tensor | None = None,
        mask: Tensor | None = None,
        ages: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Score rows.

        Args:
            fields: (N, F, E), categorical fields, then pooled sequence fields, each in layout
                order.
            numeric: (N, M) scaled values, NaN for null.
            events: (N, S, E), the positions of all sequences concatenated in layout order; unused
                unless `uses_events`.
            mask: (N, S) bool, False at padding.
            ages: (N, A) seconds since each event of the layout's timed sequences; unused unless
                the config's `events()` is timed.

        Returns:
            Logits (N,), float32 also under autocast. In training mode, if the loss has further
            terms, a tuple of logits (N,), logits of the auxiliary heads (N, A) and penalties per
            row (N,). It is a plain tuple because ZeRO-3 hooks traverse the outputs.
        """
        tokens = self.tokenizer(fields, numeric, events, mask)
        context = StackContext(x0=tokens)
        if self.tokenizer.events is not None:
            context.events = self.tokenizer.events(events, mask, ages)
        logits: Tensor = self.head(self.stack(tokens, context), tokens)
        logits = logits * self.logit_scale + self.logit_bias
        if not self.training or (self.auxiliary is None and not context.penalties):
            return logits
        penalty = torch.zeros_like(logits)
        for part in context.penalties:
            penalty = penalty + part
        return logits, self._auxiliary_logits(logits, context), penalty

    def _auxiliary_logits(self, logits: Tensor, context: StackContext) -> Tensor:
        """(N, A)."""
        if self.auxiliary is None:
            return logits.new_zeros(len(logits), 0)
        layers = self.config.auxiliary_layers()
        auxiliary: Tensor = self.auxiliary(*(context.history[layer - 1] for layer in layers))
        return auxiliary + self.logit_bias

    def start_quietly(self, scale: float, bias: float) -> None:
        """Multiply the initial logits, also those of auxiliary heads, by `scale`, and add `bias`.

        Heads with one last layer are scaled through its weights: Adam moves each weight by the
        learning rate, whatever its scale, while a constant would slow the head down for good.
        """
        self.start_scale.fill_(scale)
        if self.auxiliary is not None:
            self.auxiliary.scale_output(scale)
        if isinstance(self.head, ScalesOutput):
            self.head.scale_output(scale)
            scale = 1.0
        self.logit_scale.fill_(scale)
        self.logit_bias.fill_(bias)

    def set_tau(self, tau: float) -> None:
        """Set the Sinkhorn temperature; does nothing if the model has none."""
        if self.config.temperature() is None:
            return
        for pattern in self._sinkhorn_patterns().values():
            pattern.set_tau(tau)

    def no_decay_names(self) -> frozenset[str]:
        """Parameters exempt from weight decay: norms, biases, Sinkhorn logits.

        Decay would pull Sinkhorn logits towards uniform mixing. Call it before an engine flattens
        the parameters, because it recognises norms and biases by their number of dimensions.
        """
        small = {
            name
            for name, parameter in self.named_parameters()
            if parameter.ndim < 2 or name.endswith("bias")
        }
        return self.mixing_names() | small

    def mixing_names(self) -> frozenset[str]:
        """Parameters of learned mixing: Sinkhorn logits, or the factors that compose them."""
        prefixes = tuple(f"{name}." for name in self._sinkhorn_patterns())
        return frozenset(n for n, _ in self.named_parameters() if n.startswith(prefixes))

    def _sinkhorn_patterns(self) -> dict[str, TemperedPattern]:
        modules = self.named_modules()
        return {name: module for name, module in modules if isinstance(module, TemperedPattern)}


def _with_start(_: nn.Module, weights: dict[str, Tensor], prefix: str, *__: Any) -> None:
    """Add the constants of `start_quietly` to a model that was exported before there were any."""
    for name, value in (("start_scale", 1.0), ("logit_scale", 1.0), ("logit_bias", 0.0)):
        weights.setdefault(f"{prefix}{name}", torch.tensor(value))


def build_ranker(
    family: str, config: RankerConfig, layout: FeatureLayout, *, auxiliary: bool = True
) -> Ranker:
    """A freshly initialised model of a family, on torch's current default device.

    Args:
        family: Name of the family.
        config: The family's config.
        layout: Fields of the encoded data.
        auxiliary: Whether to build the config's auxiliary heads, which only training needs.

    Raises:
        UnknownNameError: If there is no such family.
        SpecError: If the config needs behaviour sequences and the layout has none.
    """
    entry = get_family(family)
    kind: StackKind = entry.stack(config)
    stack = make_stack(entry.blocks(config), kind, config.token_dim)
    head = head_kind(entry).make(config)
    return Ranker(config, layout, stack, head, auxiliary=auxiliary)
