"""Reading configs must not import torch or DeepSpeed, so that drivers start fast."""

import subprocess
import sys

import mixfront.training


def test_config_and_request_import_neither_torch_nor_deepspeed() -> None:
    code = (
        "import sys; import mixfront.training.config, mixfront.training.request; "
        "print([m for m in ('torch', 'deepspeed', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported() -> None:
    for name in mixfront.training.__all__:
        assert getattr(mixfront.training, name).__name__ == name
