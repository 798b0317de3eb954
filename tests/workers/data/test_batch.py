"""The layout of fields, and batches on devices."""

from dataclasses import fields

import torch

from mixfront.data.batch import Batch, FeatureLayout, FieldLayout

LAYOUT = FeatureLayout(
    fields=(
        FieldLayout(name="seen", domain="x", kind="sequence", length=5, timed=True),
        FieldLayout(name="item", domain="x", kind="categorical"),
        FieldLayout(name="tags", domain="x", kind="sequence", length=3),
        FieldLayout(name="bought", domain="x", kind="sequence", length=2, timed=True),
    ),
    num_rows=10,
    pad_rows=(0,),
)


def test_fields_by_kind_keep_their_order() -> None:
    assert [field.name for field in LAYOUT.of_kind("sequence")] == ["seen", "tags", "bought"]
    assert LAYOUT.of_kind("numeric") == []


def test_only_timed_sequences_have_ages() -> None:
    assert LAYOUT.num_ages() == 5 + 2


def test_every_tensor_of_a_batch_moves() -> None:
    tensors = {f.name: torch.zeros(2) for f in fields(Batch) if f.name != "global_weight"}
    moved = Batch(**tensors, global_weight=2.0).to("meta")
    assert {str(getattr(moved, name).device) for name in tensors} == {"meta"}
    assert moved.global_weight == 2.0
