"""Views of a model's mixing matrices."""

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, build_ranker, make_config
from mixfront.models.mixing.view import mixing_views

SHAPE = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "block_size": 4, "num_blocks": 2}
SINKHORN = ("unimixer", "unimixer_lite", "unimixer_lite_factored")


def scored(
    family: str, layout: FeatureLayout, rows: tuple[Tensor, Tensor], **options: object
) -> Ranker:
    """A model in eval mode, after a forward."""
    torch.manual_seed(0)
    ranker = build_ranker(family, make_config(family, SHAPE | options), layout).eval()
    ranker.set_tau(0.5)
    with torch.inference_mode():
        ranker(*rows)
    return ranker


@pytest.mark.parametrize("family", SINKHORN)
def test_layer_by_layer_global_then_local(
    family: str, layout: FeatureLayout, rows: tuple[Tensor, Tensor]
) -> None:
    views = mixing_views(scored(family, layout, rows))
    assert [(v.layer, v.kind) for v in views] == [
        (0, "global"), (0, "local"), (1, "global"), (1, "local"),
    ]  # fmt: skip
    assert [(v.count, v.size) for v in views[:2]] == [(1, 16), (16, 4)]
    for view in views:
        assert view.tau == 0.5
        whole = view.rows(slice(None))
        assert whole.shape == (view.count, view.size, view.size)
        ones = torch.ones(view.count, view.size)
        torch.testing.assert_close(whole.sum(-2), ones, rtol=0, atol=1e-5)
        assert (whole >= 0).all()
        torch.testing.assert_close(view.rows(slice(1, None, 2)), whole[:, 1::2])


@pytest.mark.parametrize("family", SINKHORN)
def test_views_are_the_matrices_that_the_layer_applies(
    family: str, layout: FeatureLayout, rows: tuple[Tensor, Tensor]
) -> None:
    ranker = scored(family, layout, rows)
    mixing = ranker.stack.blocks[0].mixing  # type: ignore[index, union-attr]
    across, within = (view.rows(slice(None)) for view in mixing_views(ranker)[:2])
    x = torch.randn(3, 4, 16)
    with torch.inference_mode():
        mixed = mixing(x)
    blocks = x.view(3, 16, 4)
    expected = torch.einsum("ij,njb->nib", across[0], torch.einsum("nib,ibc->nic", blocks, within))
    torch.testing.assert_close(mixed, expected.reshape(3, 4, 16))


def test_one_local_matrix_for_all(layout: FeatureLayout, rows: tuple[Tensor, Tensor]) -> None:
    views = mixing_views(scored("unimixer", layout, rows, shared_local=True))
    assert (views[1].kind, views[1].count) == ("local", 1)


def test_families_without_mixing_matrices_have_no_views(
    layout: FeatureLayout, rows: tuple[Tensor, Tensor]
) -> None:
    torch.manual_seed(0)
    shape = {key: value for key, value in SHAPE.items() if key != "block_size"}
    ranker = build_ranker("rankmixer", make_config("rankmixer", shape), layout).eval()
    with torch.inference_mode():
        ranker(*rows)
    assert mixing_views(ranker) == []


def test_views_show_the_last_forward_even_if_weights_are_freed(
    layout: FeatureLayout, rows: tuple[Tensor, Tensor]
) -> None:
    """Under ZeRO-3, weights are empty after a forward; training empties the cache."""
    ranker = scored("unimixer", layout, rows)
    before = mixing_views(ranker)[0].rows(slice(None))
    for parameter in ranker.parameters():
        parameter.data = torch.empty(0)
    assert torch.equal(mixing_views(ranker)[0].rows(slice(None)), before)
    assert mixing_views(ranker.train()) == []
