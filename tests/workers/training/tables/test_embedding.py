"""Lookups compared with plain torch: values, gradients, padding, micro-batches."""

import torch
from torch import Tensor

from mixfront.data import Batch, FeatureLayout, FieldLayout
from mixfront.training.tables.embedding import EmbeddingTables

LAYOUT = FeatureLayout(
    fields=(
        FieldLayout(name="user", domain="user", kind="categorical"),
        FieldLayout(name="age", domain="user", kind="numeric"),
        FieldLayout(name="tags", domain="item", kind="sequence", length=3),
        FieldLayout(name="item", domain="item", kind="categorical"),
        FieldLayout(name="seen", domain="user", kind="sequence", length=2),
    ),
    num_rows=20,
    pad_rows=(0, 10),
)


def make_batch(rows: int = 6, seed: int = 0, layout: FeatureLayout = LAYOUT) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    width = sum(field.length for field in layout.of_kind("sequence"))
    columns = len(layout.of_kind("categorical"))
    ids = torch.randint(1, 20, (rows, columns), generator=generator)
    ids[ids == 10] = 11  # no PAD among the categorical ids
    weight = torch.ones(rows)
    weight[-1] = 0
    return Batch(
        ids=ids,
        numeric=torch.zeros(rows, 1),
        sequences=torch.randint(0, 20, (rows, width), generator=generator),
        ages=torch.rand(rows, layout.num_ages(), generator=torch.Generator().manual_seed(seed)),
        label=torch.zeros(rows),
        user=torch.zeros(rows, dtype=torch.int64),
        weight=weight,
        global_weight=float(rows - 1),
    )


def make_tables(layout: FeatureLayout = LAYOUT) -> EmbeddingTables:
    return EmbeddingTables.fresh(layout, 4, init_std=1.0, seed=5)


def make_tables_with_events() -> EmbeddingTables:
    return EmbeddingTables.fresh(LAYOUT, 4, init_std=1.0, seed=5, with_events=True)


def plain_lookup(weight: Tensor, batch: Batch) -> Tensor:
    """Categorical rows, then means of the sequences without PAD, in plain torch."""
    parts = [weight[batch.ids[:, 0]], weight[batch.ids[:, 1]]]
    for columns in (slice(0, 3), slice(3, 5)):
        ids = batch.sequences[:, columns]
        real = ((ids != 0) & (ids != 10)).unsqueeze(2)
        parts.append((weight[ids] * real).sum(1) / real.sum(1).clamp(min=1))
    return torch.stack(parts, 1)


def test_fresh_tables_depend_only_on_the_seed_and_pad_is_zero() -> None:
    tables = make_tables()
    assert torch.equal(tables.weight, make_tables().weight)
    assert torch.equal(tables.weight[[0, 10]], torch.zeros(2, 4))
    assert not torch.equal(
        tables.weight, EmbeddingTables.fresh(LAYOUT, 4, init_std=1.0, seed=6).weight
    )


def test_embed_is_the_plain_lookup() -> None:
    tables, batch = make_tables(), make_batch(40)
    batch.sequences[3] = torch.tensor([0, 0, 10, 10, 0])
    embedded = tables.embed(batch)
    assert embedded.shape == (40, 4, 4)
    torch.testing.assert_close(embedded, plain_lookup(tables.weight, batch))
    assert torch.equal(embedded[3, 2:], torch.zeros(2, 4))


def test_gradients_equal_those_of_plain_torch() -> None:
    tables, batch = make_tables(), make_batch(40)
    lookup = tables.lookup(batch)
    upstream = torch.randn(40, 4, 4, generator=torch.Generator().manual_seed(1))
    upstream[-1] = 0  # a padded row has no loss
    torch.autograd.backward(lookup.fields(0, 40), upstream)
    weight = tables.weight.clone().requires_grad_()
    torch.autograd.backward(plain_lookup(weight, batch), upstream)
    assert weight.grad is not None
    assert lookup.rows.grad is not None
    torch.testing.assert_close(lookup.rows.grad, weight.grad[lookup.row_ids])
    rest = torch.ones(20, dtype=torch.bool)
    rest[lookup.row_ids] = False
    assert not weight.grad[rest].any()


def test_looked_up_rows_are_distinct_and_exclude_pad_and_padding() -> None:
    batch = make_batch()
    batch.ids[-1] = 19  # the row of weight 0
    batch.ids[:-1] = batch.ids[:-1].clamp(max=18)
    batch.sequences.clamp_(max=18)
    lookup = make_tables().lookup(batch)
    used = torch.cat([batch.ids[:-1].flatten(), batch.sequences[:-1].flatten()])
    assert lookup.row_ids.tolist() == sorted(set(used.tolist()) - {0, 10})


def test_gradients_of_micro_batches_add_up_to_the_batch() -> None:
    batch, upstream = make_batch(9), torch.randn(9, 4, 4)
    tables = make_tables()
    whole, parts = tables.lookup(batch), tables.lookup(batch)
    torch.autograd.backward(whole.fields(0, 9), upstream)
    for start, stop in ((0, 4), (4, 5), (5, 9)):
        fields = parts.fields(start, stop)
        torch.testing.assert_close(fields, whole.fields(0, 9)[start:stop])
        torch.autograd.backward(fields, upstream[start:stop])
    assert whole.rows.grad is not None
    assert parts.rows.grad is not None
    torch.testing.assert_close(parts.rows.grad, whole.rows.grad)


def test_a_rank_without_rows_looks_up_nothing() -> None:
    batch = make_batch()
    batch.weight.zero_()
    lookup = make_tables().lookup(batch)
    assert lookup.rows.shape == (0, 4)
    fields = lookup.fields(0, 6)
    assert torch.equal(fields, torch.zeros(6, 4, 4))
    torch.autograd.backward(fields.sum())
    assert lookup.rows.grad is not None
    assert lookup.rows.grad.shape == (0, 4)


def test_a_layout_may_have_no_sequences() -> None:
    layout = LAYOUT.model_copy(update={"fields": LAYOUT.fields[:1]})
    tables, batch = make_tables(layout), make_batch(layout=layout)
    torch.testing.assert_close(tables.embed(batch), tables.weight[batch.ids])
    assert tables.lookup(batch).fields(0, 6).shape == (6, 1, 4)


def test_events_are_the_plain_lookup_of_every_position() -> None:
    tables, batch = make_tables_with_events(), make_batch(40)
    expected = (batch.sequences != 0) & (batch.sequences != 10)
    events, mask, ages = tables.events(batch)
    assert ages is batch.ages
    torch.testing.assert_close(events, tables.weight[batch.sequences], rtol=0, atol=0)
    assert torch.equal(mask, expected)

    events_of_batch, known, ages = tables.lookup(batch).events(0, 40)
    assert torch.equal(ages, batch.ages)
    assert torch.equal(known[:-1], expected[:-1])
    assert not known[-1].any()  # the row of weight 0
    torch.testing.assert_close(events_of_batch[:-1], events[:-1], rtol=0, atol=0)
    assert torch.equal(events_of_batch[-1], torch.zeros(5, 4))


def test_gradients_of_events_add_to_those_of_fields() -> None:
    tables, batch = make_tables_with_events(), make_batch(40)
    generator = torch.Generator().manual_seed(1)
    upstream = torch.randn(40, 4, 4, generator=generator)
    upstream_events = torch.randn(40, 5, 4, generator=generator)
    upstream[-1] = upstream_events[-1] = 0  # a padded row has no loss
    lookup = tables.lookup(batch)
    for start, stop in ((0, 7), (7, 40)):
        torch.autograd.backward(lookup.fields(start, stop), upstream[start:stop])
        torch.autograd.backward(lookup.events(start, stop)[0], upstream_events[start:stop])

    weight = tables.weight.clone().requires_grad_()
    mask = ((batch.sequences != 0) & (batch.sequences != 10)).unsqueeze(2)
    torch.autograd.backward(plain_lookup(weight, batch), upstream)
    torch.autograd.backward(weight[batch.sequences] * mask, upstream_events)
    assert weight.grad is not None
    assert lookup.rows.grad is not None
    torch.testing.assert_close(lookup.rows.grad, weight.grad[lookup.row_ids])


def test_without_events_none_are_looked_up() -> None:
    tables, batch = make_tables(), make_batch()
    assert tables.events(batch) == ()
    lookup = tables.lookup(batch)
    assert lookup.positions is None
    assert lookup.events(0, 6) == ()


def test_events_of_a_rank_without_rows() -> None:
    batch = make_batch()
    batch.weight.zero_()
    events, mask, ages = make_tables_with_events().lookup(batch).events(2, 5)
    assert torch.equal(ages, batch.ages[2:5])
    assert torch.equal(events, torch.zeros(3, 5, 4))
    assert not mask.any()
