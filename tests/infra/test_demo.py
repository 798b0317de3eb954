"""The requirements of `make demo` for its front."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

OPTIMUM = 0.87


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    path = Path(__file__).parents[2] / "infra" / "demo.py"
    spec = importlib.util.spec_from_file_location("demo", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def point(family: str, auc: float, flops: float) -> dict[str, Any]:
    return {"trial_id": "0", "family": family, "values": {"auc": auc, "flops": flops}}


def front() -> list[dict[str, Any]]:
    """A front that just passes."""
    return [
        point("rankmixer", 0.8401, 1e8),
        point("rankmixer", 0.83, 5e7),
        point("unimixer", 0.82, 2e7),
        point("unimixer", 0.80, 1e7),
    ]


def test_a_front_that_passes(demo: ModuleType) -> None:
    assert demo.fault_of(front(), OPTIMUM) is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ([], "it has 0 points, but needs 4"),
        (front()[1:], "it has 3 points, but needs 4"),
        ([p | {"family": "fat"} for p in front()], "all its points are of fat"),
        ([*front()[:3], point("unimixer", 0.8, 1.1e7)], "has 9.1 times the FLOPs"),
        (
            [point("rankmixer", 0.8399, 1e8), *front()[1:]],
            "its best AUC is 0.8399, more than 0.03",
        ),
    ],
)
def test_a_front_that_fails(demo: ModuleType, wrong: list[dict[str, Any]], sentence: str) -> None:
    assert sentence in demo.fault_of(wrong, OPTIMUM)


def test_a_failing_front_ends_the_demo_with_one_sentence(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "mixfront", lambda *_, **__: '{"front": []}')
    with pytest.raises(SystemExit, match="misses the demo's requirements: it has 0 points"):
        demo.check_front(OPTIMUM)


def test_the_installation_time(demo: ModuleType, tmp_path: Path) -> None:
    stamp = tmp_path / ".installed"
    assert demo.installing_took(stamp) == "an unknown time"
    stamp.touch()  # an empty file, as earlier Makefiles wrote
    assert demo.installing_took(stamp) == "an unknown time"
    stamp.write_text("150\n")
    assert demo.installing_took(stamp) == "2.5 minutes"
