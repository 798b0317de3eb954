"""Counts of selected experts."""

import pytest
import torch

from mixfront.models.layers.expert_load import ExpertLoad


def test_counts_rows_per_token_and_expert_between_start_and_stop() -> None:
    load = ExpertLoad(2, 3)
    choices = torch.tensor([[[0, 0, 2]], [[1, 1, 1]]])  # (T, K, N)
    load.add(choices)
    load.start()
    load.add(choices)
    load.add(choices[:, :, :1])
    assert load.stop().tolist() == [[3, 0, 1], [0, 4, 0]]
    load.add(choices)
    load.start()
    assert load.stop().tolist() == [[0, 0, 0], [0, 0, 0]]


def test_every_choice_of_a_row_counts() -> None:
    load = ExpertLoad(1, 3)
    load.start()
    load.add(torch.tensor([[[0, 1], [2, 2]]]))
    assert load.stop().tolist() == [[1, 1, 2]]


def test_stop_needs_a_start() -> None:
    with pytest.raises(AssertionError, match="start it first"):
        ExpertLoad(1, 2).stop()
