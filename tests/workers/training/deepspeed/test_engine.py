"""The engine at every ZeRO stage in one process: equal losses, saved state, no leaks."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mixfront.training.config import TrainingConfig
from mixfront.training.deepspeed import engine as engine_module
from mixfront.training.deepspeed.engine import DenseEngine, engine_config, import_deepspeed
from mixfront.training.optimizer import build_optimizer
from mixfront.training.ranks import Ranks

STAGES = [0, 1, 2, 3]


class Net(nn.Module):
    """Two layers and a buffer."""

    tau: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.last = nn.Linear(16, 1)
        self.register_buffer("tau", torch.tensor(1.0))

    def forward(self, fields: Tensor, numeric: Tensor) -> Tensor:
        hidden = torch.relu(self.first(fields.flatten(1))) * self.tau
        logits: Tensor = self.last(hidden).squeeze(1) + numeric.sum(1)
        return logits


def make_engine(stage: int, net: nn.Module | None = None, **config: Any) -> DenseEngine:
    torch.manual_seed(0)
    net = net or Net()
    training = TrainingConfig.model_validate(config)
    optimizer = build_optimizer(net, {"first.bias", "last.bias"}, training.optimizer)
    return DenseEngine(net, optimizer, training, zero_stage=stage, ranks=Ranks.join("cpu"))


def train(engine: DenseEngine, first: int, last: int, parts: int = 1) -> list[float]:
    """Losses of steps `first` to `last`, each split into `parts` micro-batches."""
    losses = []
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        fields = torch.randn(32, 4, 2, generator=generator).requires_grad_()
        total = 0.0
        for part in fields.chunk(parts):
            logits = engine.forward(part, torch.zeros(len(part), 1)).logits
            loss = (logits - part.detach().sum((1, 2))).square().sum() / 32
            engine.backward(loss)
            total += float(loss.detach())
        assert engine.step()
        losses.append(total)
    return losses


@pytest.fixture(scope="module")
def expected() -> list[float]:
    """The loss curve without ZeRO, with clipping and weight decay."""
    engine = make_engine(0, optimizer={"clip_norm": 0.5, "weight_decay": 0.1, "lr": 0.01})
    try:
        return train(engine, 0, 5)
    finally:
        engine.close()


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("stage", STAGES)
def test_stages_and_accumulation_give_the_same_loss_curve(
    stage: int, parts: int, expected: list[float]
) -> None:
    engine = make_engine(
        stage,
        gradient_accumulation=parts,
        optimizer={"clip_norm": 0.5, "weight_decay": 0.1, "lr": 0.01},
    )
    assert train(engine, 0, 5, parts) == pytest.approx(expected, rel=1e-5)
    engine.close()


@pytest.mark.parametrize("stage", STAGES)
def test_weights_and_optimizer_state_can_be_restored(stage: int) -> None:
    engine = make_engine(stage)
    train(engine, 0, 3)
    weights, state = engine.weights(), engine.optimizer_state()
    state = {name: value.clone() for name, value in state.items()}
    curve = train(engine, 3, 6)
    engine.close()
    other = make_engine(stage)
    train(other, 7, 9)  # a different state, to be overwritten
    other.load_weights(weights)
    other.load_optimizer_state(state)
    assert all(torch.equal(value, weights[name]) for name, value in other.weights().items())
    assert train(other, 3, 6) == curve
    other.close()


def test_loaded_optimizer_state_is_on_the_device_of_the_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Including the step count, which a fused optimizer on a GPU reads there."""
    engine = make_engine(0)
    parameter = torch.empty(3, device="meta")  # instead of a GPU's
    monkeypatch.setattr(engine, "_partitions", lambda: [parameter])
    engine.load_optimizer_state({"0.step": torch.tensor(2.0), "0.exp_avg": torch.zeros(3)})
    assert all(value.is_meta for value in engine.optimizer_state().values())
    engine.close()


@pytest.mark.parametrize("stage", STAGES)
def test_reset_gives_a_new_optimizer_on_the_same_weights(stage: int) -> None:
    engine = make_engine(stage)
    train(engine, 0, 2)
    engine.reset_optimizer()
    weights = engine.weights()
    curve = train(engine, 2, 4)
    engine.close()
    other = make_engine(stage)
    other.load_weights(weights)
    assert train(other, 2, 4) == curve
    other.close()


@pytest.mark.parametrize("stage", [0, 3])
def test_bf16_is_close_to_fp32_and_does_not_leak_into_the_next_engine(stage: int) -> None:
    reference = make_engine(stage)
    fp32 = train(reference, 0, 3)
    reference.close()
    engine = make_engine(stage, precision="bf16")
    bf16 = train(engine, 0, 3)
    assert engine.weights()["first.weight"].dtype == torch.float32
    engine.close()
    assert bf16 != fp32
    assert bf16 == pytest.approx(fp32, rel=0.02)
    again = make_engine(stage)
    assert train(again, 0, 3) == fp32
    again.close()


def test_warm_up_scales_the_learning_rate() -> None:
    engine = make_engine(2, optimizer={"lr": 0.1})
    before = engine.weights()["last.bias"]
    outputs = engine.forward(torch.ones(4, 4, 2), torch.zeros(4, 1))
    engine.backward(outputs.logits.sum())
    engine.step(lr_factor=0.25)
    change = (engine.weights()["last.bias"] - before).abs()
    engine.close()
    assert float(change) == pytest.approx(0.025, rel=1e-4)  # Adam's first step has size lr


def test_bf16_uses_autocast_and_buckets_fit_the_model() -> None:
    config = engine_config(TrainingConfig(precision="bf16"), 2, 1001)
    assert config["torch_autocast"] == {
        "enabled": True,
        "dtype": "bfloat16",
        "lower_precision_safe_modules": [],
    }
    assert "bf16" not in config
    assert config["zero_optimization"]["reduce_bucket_size"] == 1002


@pytest.mark.parametrize("stage", STAGES)
def test_closed_engines_are_freed(stage: int) -> None:
    refs: list[weakref.ref[Any]] = []
    for _ in range(5):
        net = Net()
        engine = make_engine(stage, net)
        refs += [weakref.ref(net), weakref.ref(engine), weakref.ref(net.first.weight)]
        train(engine, 0, 2)
        engine.train(False)
        with torch.no_grad():
            engine.forward(torch.ones(4, 4, 2), torch.zeros(4, 1))
        engine.load_weights(engine.weights())
        engine.close()
        del engine, net
    gc.collect()
    assert [ref() for ref in refs if ref() is not None] == []


def test_the_cpu_op_is_built_although_someone_imported_deepspeed_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import deepspeed

    builds: list[object] = []
    monkeypatch.setattr(engine_module, "build_cpu_op", builds.append)
    import_deepspeed("cpu")
    import_deepspeed("cpu", build_op=False)
    assert builds == [deepspeed]
