"""The packaged KuaiRand schema on the real logs, if they are available."""

from pathlib import Path

import numpy as np
import pytest

from mixfront.data.dataset import open_dataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.inspection.inspect import inspect_data
from mixfront.data.schema import load_schema

ROOT = Path(__file__).parents[3]
LOGS = ROOT.parent / "shared" / "data" / "kuairand"
SCHEMA = ROOT / "search_spaces" / "mixfront" / "spaces" / "specs" / "kuairand.schema.yaml"

pytestmark = pytest.mark.skipif(not LOGS.exists(), reason="the KuaiRand logs are not available")


def test_the_packaged_schema_encodes_it() -> None:
    schema = load_schema(str(SCHEMA))
    dataset = open_dataset(str(LOGS))
    encoder = Encoder.fit(dataset, schema, "date in [20220503, 20220504]")
    raw = dataset.head(5000, "date == 20220505", encoder.columns)
    rows = encoder.encode(raw)
    assert rows.ids.shape == (5000, len(encoder.layout.of_kind("categorical")))
    assert rows.sequences.shape == (5000, 124)
    assert np.nanmean(np.abs(rows.numeric)) < 3
    nulls = raw["history_len"].null_count
    assert np.isnan(rows.numeric).any(axis=1).sum() == nulls > 0
    watched = rows.sequences[:, 4:54]
    pads = np.asarray(encoder.layout.pad_rows)
    assert 0.1 < np.isin(watched, pads).mean() < 0.9


def test_inspect_leaves_the_other_labels_out() -> None:
    inspection = inspect_data(str(LOGS), sample_rows=20_000)
    names = {feature.name for feature in inspection.schema.features}
    assert inspection.schema.label == "is_click"
    assert not names & {"is_click", "long_view", "is_like", "is_lowactive_period", "date"}
    shares = {f.name: f.share for f in inspection.schema.features if f.kind == "sequence"}
    assert shares["watch_seq"] == "video_id"
    assert any(warning.startswith("is_live_streamer: '-124'") for warning in inspection.warnings)
