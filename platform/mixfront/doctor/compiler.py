"""Checks the C++ compiler, ninja and headers that DeepSpeed needs to build its CPU op."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from mixfront.doctor.finding import Finding, ok, warning
from mixfront.doctor.needs import require


def check_compiler() -> Finding:
    """Check the tools; without them, DeepSpeed only works on a CPU if its op is already built."""
    require("deepspeed")
    if missing := missing_tools():
        return warning(f"no {' and no '.join(missing)}", "; ".join(missing.values()))
    return ok(f"{_compiler()}, {shutil.which('ninja')}, {_python_header()}")


def missing_tools() -> dict[str, str]:
    """The missing tools, and how to install each."""
    missing = {}
    if _compiler() is None:
        missing["C++ compiler"] = "install g++ (Debian: apt-get install g++), or set CXX"
    if shutil.which("ninja") is None:
        missing["ninja on PATH"] = (
            f"add {_own_programs()} to PATH, or activate the environment"
            if (_own_programs() / "ninja").exists()
            else "pip install ninja"
        )
    if not _python_header().exists():
        missing["Python.h"] = "install Python's headers (Debian: apt-get install python3-dev)"
    return missing


def _compiler() -> str | None:
    """The compiler that torch would find, or None."""
    return shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")


def _own_programs() -> Path:
    return Path(sys.prefix) / "bin"


def _python_header() -> Path:
    return Path(sysconfig.get_paths()["include"]) / "Python.h"
