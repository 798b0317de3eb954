"""A driver that reads configs must not wait for torch or DeepSpeed."""

import subprocess
import sys

import mixfront.training


def test_config_and_request_import_neither_torch_nor_deepspeed() -> None:
    code = (
        "import sys; import mixfront.training.config, mixfront.training.request; "
        "print([m for m in ('torch', 'deepspeed', 'pyarrow') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in mixfront.training.__all__:
        assert getattr(mixfront.training, name).__name__ == name
