"""Builds a wheel of the running mixfront, for a registered model or a job on a cluster.

It is built from the installed files, editable or not, so it needs no build tool, network or
source tree. The same files give the same bytes.
"""

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from mixfront.exceptions import MixfrontError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file supports
_MODE = 0o644 << 16


def build_wheel(folder: Path, *, requires: bool = True) -> Path:
    """Write a wheel of the installed package to `folder`.

    The build tag in its name is a digest of its content, because Ray treats two wheels with the
    same name as the same wheel, and would run the older code.

    Args:
        folder: Folder of the wheel.
        requires: Whether the wheel lists its dependencies. A cluster already has them, and
            Ray's `pip install --target` would download all of them again.

    Returns:
        Path of the wheel.

    Raises:
        MixfrontError: If mixfront is only on the path, and not installed.
    """
    info = _distribution()
    files = {**_package_files(), **_info_files(info, requires=requires)}
    tag = f"0_{_digest(files)[:12]}"
    name = f"mixfront-{info.version}.dist-info"
    files[f"{name}/WHEEL"] = _wheel_text(tag)
    files[f"{name}/RECORD"] = _record(files, f"{name}/RECORD")
    path = folder / f"mixfront-{info.version}-{tag}-py3-none-any.whl"
    _write_zip(path, files)
    return path


def _distribution() -> metadata.Distribution:
    try:
        return metadata.distribution("mixfront")
    except metadata.PackageNotFoundError:
        raise MixfrontError(
            "mixfront is on the path but not installed, so no wheel of it can be built; install "
            "it, or its source tree with `pip install --editable`"
        ) from None


def _package_files() -> dict[str, bytes]:
    """Files of all parts of the namespace package; if two have one path, the first wins."""
    import mixfront

    files: dict[str, bytes] = {}
    for root in map(Path, mixfront.__path__):
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            if path.is_file() and not _is_ignored(relative):
                files.setdefault(f"mixfront/{relative.as_posix()}", path.read_bytes())
    return files


def _is_ignored(path: Path) -> bool:
    """Whether a file is hidden or bytecode, and so not part of the package."""
    hidden = any(part.startswith(".") for part in path.parts)
    return hidden or "__pycache__" in path.parts or path.suffix == ".pyc"


def _info_files(info: metadata.Distribution, *, requires: bool) -> dict[str, bytes]:
    """Metadata and entry points of the installed package."""
    texts = {
        "METADATA": _metadata(info, requires=requires),
        "entry_points.txt": info.read_text("entry_points.txt"),
    }
    folder = f"mixfront-{info.version}.dist-info"
    return {f"{folder}/{name}": text.encode() for name, text in texts.items() if text}


def _metadata(info: metadata.Distribution, *, requires: bool) -> str:
    text = info.read_text("METADATA") or ""
    if requires:
        return text
    head, _, body = text.partition("\n\n")
    dropped = ("Requires-Dist:", "Provides-Extra:", "License-File:")
    kept = [line for line in head.splitlines() if not line.startswith(dropped)]
    return "\n".join(kept) + "\n\n" + body


def _wheel_text(tag: str) -> bytes:
    lines = (
        "Wheel-Version: 1.0",
        "Generator: mixfront",
        "Root-Is-Purelib: true",
        "Tag: py3-none-any",
        f"Build: {tag}",
    )
    return ("\n".join(lines) + "\n").encode()


def _record(files: Mapping[str, bytes], own_name: str) -> bytes:
    """The RECORD file of PyPA's "Recording installed projects": digest and size of every file."""
    lines = []
    for name, content in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return ("\n".join([*lines, f"{own_name},,"]) + "\n").encode()


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    last = f"{path.name.split('-0_')[0]}.dist-info/"  # at the end, as PEP 427 recommends
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files, key=lambda name: (name.startswith(last), name)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
