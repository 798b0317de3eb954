"""Training samples per second: tables, forward, backward, DeepSpeed engine, both optimizers.

One process with synthetic ids shaped like the KuaiRand schema, in batches of 2,048. Every family
runs with its defaults at T = 16, D = 64, and some also with the shapes of public implementations,
to compare with their rates. Rates are per second of wall time with torch's default number of
threads (OMP_NUM_THREADS), and per second of CPU time, which other processes disturb less.
"""

import os
import time

import torch

from mixfront.data import Batch, FeatureLayout
from mixfront.data.batch import FieldLayout
from mixfront.models import FAMILIES, count_cost, make_config
from mixfront.training.config import TrainingConfig
from mixfront.training.ranks import Ranks
from mixfront.training.trainer import Trainer

BATCH = 2048
STEPS = 4  # measured, after two for warm-up
CATEGORICAL, NUMERIC, SEQUENCES = 34, 8, (50, 50, 20)
VOCABULARY = 5000  # ids per field

WIDE = {"num_tokens": 48, "token_dim": 16, "num_blocks": 2}
PEERS: dict[str, dict[str, object]] = {  # with about as many dense parameters as the peers' models
    "rankmixer": {"num_tokens": 16, "token_dim": 48, "num_blocks": 2, "ffn_hidden": 512},
    "unimixer_lite": {**WIDE, "ffn_hidden": 128},
    "wukong": {**WIDE, "mlp_hidden": [448, 448]},
    "dcnv2": {**WIDE, "rank": 0, "parallel_hidden": [400, 400, 400]},
    "hiformer": dict(WIDE),
    "fat": dict(WIDE),
}


def main() -> None:
    """Print parameters and rates; MIXFRONT_BENCH_FAMILIES selects families."""
    names = os.environ.get("MIXFRONT_BENCH_FAMILIES", "").split() or list(FAMILIES)
    models = [(name, "default", dict[str, object]()) for name in names]
    models += [(name, "peer", shape) for name, shape in PEERS.items() if name in names]
    heads = ("family", "shape", "dense parameters", "precision", "samples/s", "by CPU second")
    print(("{:>24}" * len(heads)).format(*heads))
    for name, kind, shape in models:
        for precision in ("fp32", "bf16"):
            params, wall, cpu = measure(name, shape, precision)
            cells = (name, kind, f"{params:,}", precision, f"{wall:,.0f}", f"{cpu:,.0f}")
            print(("{:>24}" * len(cells)).format(*cells), flush=True)


def measure(family: str, shape: dict[str, object], precision: str) -> tuple[int, float, float]:
    """Dense parameters, and samples per second of wall time and of CPU time in the best step."""
    layout = kuairand_like()
    model = make_config(family, shape)
    config = TrainingConfig.model_validate({"batch_size": BATCH, "precision": precision})
    trainer = Trainer(
        family,
        model,
        layout,
        config,
        zero_stage=0,
        total_steps=STEPS + 2,
        ranks=Ranks.join("cpu"),
    )
    walls, cpus = [], []
    for step in range(STEPS + 2):
        batch = random_batch(step)
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.step(batch, step)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    trainer.close()
    params = count_cost(family, model, layout=layout).dense_params
    return params, BATCH / min(walls[2:]), BATCH / min(cpus[2:])


def kuairand_like() -> FeatureLayout:
    """45 fields: ids, numbers, and histories for the first three ids."""
    fields = [
        FieldLayout(name=f"id{index}", domain="id", kind="categorical")
        for index in range(CATEGORICAL)
    ]
    fields += [
        FieldLayout(name=f"number{index}", domain="number", kind="numeric")
        for index in range(NUMERIC)
    ]
    fields += [
        FieldLayout(
            name=f"ids{index}",
            domain="history",
            kind="sequence",
            length=length,
            target=f"id{index}",
        )
        for index, length in enumerate(SEQUENCES)
    ]
    num_rows = CATEGORICAL * VOCABULARY
    pads = tuple(range(0, num_rows, VOCABULARY))
    return FeatureLayout(fields=tuple(fields), num_rows=num_rows, pad_rows=pads)


def random_batch(seed: int) -> Batch:
    """A batch for `kuairand_like`; small ids are frequent, as in logs."""
    generator = torch.Generator().manual_seed(seed)

    def ids(widths: list[int]) -> torch.Tensor:
        uniform = torch.rand(BATCH, sum(widths), generator=generator)
        skewed = (uniform**3 * (VOCABULARY - 1)).long() + 1
        tables = torch.arange(len(widths)).repeat_interleave(torch.tensor(widths))
        return skewed + tables * VOCABULARY

    return Batch(
        ids=ids([1] * CATEGORICAL),
        numeric=torch.randn(BATCH, NUMERIC, generator=generator),
        sequences=ids(list(SEQUENCES)),
        ages=torch.zeros(BATCH, 0),
        label=torch.randint(2, (BATCH,), generator=generator).float(),
        user=torch.zeros(BATCH, dtype=torch.long),
        weight=torch.ones(BATCH),
        global_weight=float(BATCH),
    )


if __name__ == "__main__":
    main()
