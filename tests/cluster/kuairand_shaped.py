"""Made-up logs with the columns, types and oddities of KuaiRand-Pure, for the packaged spec."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DATES = (20220503, 20220504, 20220505, 20220506)  # train on two, validation, test
_FIRST_MS = 1_651_536_000_000
_DAY_MS = 86_400_000
_USERS, _VIDEOS, _AUTHORS = 400, 300, 60
_NUMERIC = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")


def write_kuairand_shaped(fs: Any, root: str, rows_per_day: int, seed: int) -> None:
    """Write hive-partitioned Parquet.

    Args:
        fs: An fsspec file system.
        root: Folder on it.
        rows_per_day: Rows of each of the four days.
        seed: The same seed writes the same rows.
    """
    for day, date in enumerate(DATES):
        rng = np.random.default_rng([seed, day])
        with fs.open(f"{root}/date={date}/part-0.parquet", "wb") as file:
            pq.write_table(_day(rng, rows_per_day, day), file, row_group_size=1024)


def _day(rng: np.random.Generator, rows: int, day: int) -> pa.Table:
    user = rng.zipf(1.3, rows) % _USERS
    video = rng.zipf(1.2, rows) % _VIDEOS
    tab = rng.integers(0, 6, rows)
    # A video suits a user or it does not; most of it is an interaction of the two.
    logit = 1.5 * np.sin(user * 0.7 + video * 1.3) + 0.8 * np.cos(video) + 0.3 * (tab - 2.5)
    click = rng.random(rows) < 1 / (1 + np.exp(-logit))
    columns = {
        "user_id": user.astype(np.int64),
        "video_id": video.astype(np.int64),
        "author_id": (video % _AUTHORS + 8_000_000).astype(np.int64),
        "time_ms": np.sort(rng.integers(0, _DAY_MS, rows)) + _FIRST_MS + day * _DAY_MS,
        "tab": tab.astype(np.int32),
        "hour": rng.integers(0, 24, rows).astype(np.int8),
        **_of_users(user),
        **_of_videos(rng, video),
        **_sequences(user, video),
        "is_click": click.astype(np.int32),
        "long_view": (click & (rng.random(rows) < 0.6)).astype(np.int32),
        "is_like": (click & (rng.random(rows) < 0.05)).astype(np.int32),
    }
    return pa.table(columns)


def _of_users(user: np.ndarray[Any, Any]) -> dict[str, Any]:
    degrees = np.array(["full_active", "high_active", "middle_active", "UNKNOWN"])
    onehots = {f"onehot_feat{n}": (user // (n + 1) % (n + 2)).astype(np.int32) for n in range(18)}
    onehots["onehot_feat4"] = pa.array(onehots["onehot_feat4"], mask=user % 7 == 0)  # has nulls
    counts = {name: (user * (n + 3) % 977).astype(np.int32) for n, name in enumerate(_NUMERIC)}
    return {
        "user_active_degree": degrees[user % 4],
        **{f"{name}_range": np.array(["0", "[1,10)", "500+"])[user % 3] for name in _NUMERIC},
        "is_lowactive_period": np.zeros(len(user), np.int32),  # constant
        "is_live_streamer": np.where(user % 5 == 0, 1, -124).astype(np.int32),  # a sentinel
        "is_video_author": (user % 2).astype(np.int32),
        **onehots,
        **counts,
        "history_len": pa.array((user % 50).astype(np.float64), mask=user % 11 == 0),
    }


def _of_videos(rng: np.random.Generator, video: np.ndarray[Any, Any]) -> dict[str, Any]:
    tags = [rng.integers(1, 70, n).tolist() for n in video % 4]  # some are empty
    return {
        "video_type": np.array(["NORMAL", "AD"])[(video % 20 == 0).astype(int)],
        "upload_type": np.array(["LongImport", "ShortImport", "Web"])[video % 3],
        "music_type": (video % 10).astype(np.int32),
        "video_duration": pa.array(video * 997.0 % 60_000, mask=video % 13 == 0),
        "server_width": np.full(len(video), 720.0),
        "server_height": np.where(video % 2, 1280.0, 960.0),
        "freshness_days": (video % 30).astype(np.int64),
        "tags": pa.array(tags, pa.list_(pa.int32())),
    }


def _sequences(user: np.ndarray[Any, Any], video: np.ndarray[Any, Any]) -> dict[str, Any]:
    histories = [(video[: u % 50] * 7 % _VIDEOS).tolist() for u in user]
    shares = {"watch_seq": 1.0, "long_watch_seq": 0.5, "like_seq": 0.1}
    return {
        name: pa.array(
            [history[: int(len(history) * share)] for history in histories], pa.list_(pa.int32())
        )
        for name, share in shares.items()
    }
