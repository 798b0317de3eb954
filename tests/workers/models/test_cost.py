"""Costs against the published tables, and the report's format."""

from typing import Any

import pytest

from mixfront.data.batch import FeatureLayout
from mixfront.models import ModelCost, count_cost, make_config

SMALL = {"num_tokens": 32, "token_dim": 128}
LARGE = {"num_tokens": 64, "token_dim": 256, "block_size": 4, "num_blocks": 2}
LITE = {**SMALL, "block_size": 4, "rank": 128, "num_bases": 2, "num_blocks": 2}

# Family, values, parameters of the blocks, training FLOPs. A difference of parameters is the
# table's number minus those of tokenizer and head.
PAPER: list[tuple[str, dict[str, Any], float, float]] = [
    ("unimixer_lite", LITE, 4.7485e6, 0.161e12),
    ("unimixer_lite", {**LITE, "num_bases": 4}, 4.973e6 - 0.219e6, 0.161e12),
    ("unimixer_lite", {**LITE, "rank": 2}, 4.2335e6, 0.160e12),
    ("unimixer_lite", {**LITE, "rank": 256}, 5.4925e6 - 0.219e6, 0.163e12),
    ("unimixer_lite", {**LITE, "num_blocks": 4}, 9.4960e6, 0.316e12),
    ("unimixer", {**SMALL, "block_size": 4}, 6.3510e6, 0.16e12),
    ("rankmixer", {**SMALL, "ffn_hidden": 256}, 4.2185e6, 0.056e12),
    ("unimixer", LARGE, 67.5e6 - 0.3e6, 2.07e12),
    ("unimixer_lite", {**LARGE, "rank": 512, "num_bases": 8}, 42.4e6 - 0.3e6, 2.17e12),
    (
        "unimixer_lite",
        {**LARGE, "rank": 512, "num_bases": 8, "num_blocks": 4},
        84.5e6 - 0.3e6,
        4.24e12,
    ),
]
# Not in Table 4, but implied by its rows, since parameters and FLOPs are linear in r and in b.
BETWEEN: list[tuple[str, dict[str, Any], float, float]] = [
    *(
        (
            "unimixer_lite",
            {**LITE, "rank": rank},
            4.968e6 - 0.219e6 - (128 - rank) * (4.968e6 - 4.4525e6) / 126,
            0.161e12 - (128 - rank) * (0.161e12 - 0.160e12) / 126,
        )
        for rank in (16, 32, 64)
    ),
    ("unimixer_lite", {**LITE, "num_bases": 8}, 4.973e6 - 0.219e6 + 2 * 0.005e6, 0.161e12),
]


def cost_of(family: str, values: dict[str, Any], **options: Any) -> ModelCost:
    return count_cost(family, make_config(family, values), **options)


@pytest.mark.parametrize(("family", "values", "params", "flops"), [*PAPER, *BETWEEN])
def test_published_tables(
    family: str, values: dict[str, Any], params: float, flops: float
) -> None:
    """UniMixer's Tables 2-4: parameters within 0.5 %, FLOPs within +4 / -10 %."""
    report = cost_of(family, values).to_json()

    assert report["params"]["blocks"] == pytest.approx(params, rel=0.005)
    assert -0.10 <= report["flops"]["train_per_batch"]["blocks"] / flops - 1 <= 0.04


def test_one_shared_local_matrix_saves_as_much_as_in_table_3() -> None:
    values = {**SMALL, "block_size": 4}
    shared = cost_of("unimixer", {**values, "shared_local": True})
    assert cost_of("unimixer", values).dense_params - shared.dense_params == 32_736


def test_post_norm_saves_less_than_the_rounding_of_the_tables() -> None:
    values = {**SMALL, "block_size": 4}
    plain = cost_of("unimixer", {**values, "stack": "plain"})
    assert cost_of("unimixer", values).dense_params - plain.dense_params == 3 * 128


def test_depth_is_linear() -> None:
    one, two, three = (
        cost_of("unimixer", {**SMALL, "num_blocks": m}).blocks.per_sample for m in (1, 2, 3)
    )
    assert three - two == two - one == one


def test_report_of_the_command_line() -> None:
    report = cost_of("rankmixer", SMALL, batch_size=100, chunk_dim=10).to_json()

    assert report["family"] == "rankmixer"
    assert report["config"]["num_tokens"] == 32
    assert report["config"]["embedding_dim"] == 16
    assert report["batch_size"] == 100
    params, flops = report["params"], report["flops"]
    assert params["embedding"] == 0
    assert params["tokenizer"] == 32 * (10 * 128 + 128)
    assert params["head"] == 129
    assert params["dense"] == params["tokenizer"] + params["blocks"] + params["head"]
    batch = flops["train_per_batch"]
    assert batch["total"] == batch["tokenizer"] + batch["blocks"] + batch["head"]
    assert batch["tokenizer"] == 3 * 100 * 2 * 32 * 10 * 128
    assert batch["total"] == 3 * 100 * flops["forward_per_sample"]


def test_work_done_once_per_step_is_counted_once() -> None:
    """The cost of Sinkhorn, and of composing Lite's logits, does not grow with the batch."""
    n, iters = 16 * 64 // 4, 20
    sinkhorn = 4 * iters * (n * n + n * 4 * 4)
    composing = 2 * n * n * 16 + 2 * n * 2 * 4 * 4
    for family, once in (("unimixer", sinkhorn), ("unimixer_lite", sinkhorn + composing)):
        cost = cost_of(family, {})
        difference = cost.training_flops(3) - 3 * 3 * cost.flops_per_sample
        assert difference == 3 * 2 * once


def test_metrics_are_for_the_papers_batch() -> None:
    cost = cost_of("unimixer", {}, batch_size=7)
    metrics = cost.metrics()
    assert metrics["flops"] == cost.training_flops(2048)
    assert metrics["params"] == metrics["params_total"] == cost.dense_params
    assert metrics["flops_per_sample"] == cost.flops_per_sample


def test_activations_are_counted_on_request() -> None:
    cost = cost_of("unimixer", {}, batch_size=7, activations=True)
    assert cost.activations is not None
    memory = cost.to_json()["memory"]
    per_sample = memory["activation_bytes_per_sample"]
    assert per_sample > 0
    assert memory["activation_bytes_per_step"] > 0
    assert memory["activation_bytes_per_batch"] == (
        7 * per_sample + memory["activation_bytes_per_step"]
    )
    assert cost.metrics()["activation_mb"] == cost.activations.of_batch(2048) / 1e6
    plain = cost_of("unimixer", {})
    assert "memory" not in plain.to_json()
    assert "activation_mb" not in plain.metrics()


def test_real_fields_determine_chunks_and_tables(layout: FeatureLayout) -> None:
    """5 fields of width 16 in 16 chunks of 5; 2 numeric fields with 3 vectors each."""
    cost = cost_of("rankmixer", {}, layout=layout)
    assert cost.tokenizer.per_sample == 2 * 16 * 5 * 64
    assert cost.tokenizer.params == 16 * (5 * 64 + 64) + 3 * 2 * 16
    assert cost.metrics()["params_total"] == cost.dense_params + 100 * 16
