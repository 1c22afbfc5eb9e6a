"""Builds the wheel, with the modules in `tool.grpcdns.compiled` (pyproject.toml) as machine code.

mypyc makes C of the same files that run as Python elsewhere; the wheel has both. The variable
GRPCDNS_COMPILE decides: with 1 it is an error if they cannot be compiled, with 0 the wheel is pure
Python. Without it they are compiled where there is mypy, and a C compiler that finds Python.h.

An sdist has no C in it, and an editable installation is never compiled: what is edited must run.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, OptionError

_HERE: Final = Path(__file__).parent
_PYPROJECT: Final = tomllib.loads((_HERE / "pyproject.toml").read_text())
_CHOICE: Final = os.environ.get("GRPCDNS_COMPILE", "")
_FLAGS: Final = ("--config-file=", "--ignore-missing-imports", "--no-error-summary")


class BuildExtensions(build_ext):
    """What cannot be compiled is left out, unless GRPCDNS_COMPILE=1 asks for it."""

    def run(self) -> None:
        try:
            super().run()
        except BaseError as error:
            if _CHOICE == "1":
                raise
            _say(f"not compiled: {error}")
            for made in Path(self.build_lib).rglob("*.so"):
                made.unlink()
            self.extensions.clear()


def _extensions() -> list[Extension]:
    """One for each module, and one with the code of all; none for a wheel of pure Python."""
    if not _can_compile():
        return []
    try:
        from mypyc.build import mypycify
    except ImportError as error:
        if _CHOICE == "1":
            raise OptionError(f"GRPCDNS_COMPILE=1: {error}") from error
        return []
    shutil.rmtree(_HERE / "build" / "grpcdns", ignore_errors=True)  # C of other sources
    try:
        made: list[Extension] = mypycify(
            [*_FLAGS, *_PYPROJECT["tool"]["grpcdns"]["compiled"]],
            opt_level="3",
            debug_level="0",
            group_name="grpcdns",
        )
    except SystemExit:  # it has said why
        if _CHOICE == "1":
            raise
        _say("not compiled: mypyc does not take these sources")
        return []
    for extension in made:  # a warning of another compiler's is no error
        flags = extension.extra_compile_args
        extension.extra_compile_args = [flag for flag in flags if flag != "-Werror"]
    return made


def _can_compile() -> bool:
    """Whether to try. Raises OptionError."""
    if _CHOICE not in ("", "0", "1"):
        raise OptionError(f"GRPCDNS_COMPILE={_CHOICE}: give 0 or 1")
    if _CHOICE == "0" or "editable_wheel" in sys.argv:
        return False
    if _CHOICE == "1":
        return True
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "trial.c")
        source.write_text("#include <Python.h>\n")
        include = f"-I{sysconfig.get_path('include')}"
        command = [*compiler, include, "-c", str(source), "-o", str(source.with_suffix(".o"))]
        try:
            return subprocess.run(command, capture_output=True).returncode == 0
        except OSError:
            return False


def _say(line: str) -> None:
    print(f"grpcdns: {line}", file=sys.stderr)


_building = any(command.startswith(("bdist", "build", "install")) for command in sys.argv[1:])
setup(
    ext_modules=_extensions() if _building else [],
    cmdclass={"build_ext": BuildExtensions},
    # With these arguments setuptools only asks what building a wheel needs.
    setup_requires=(
        _PYPROJECT["tool"]["grpcdns"]["compile-requires"]
        if sys.argv[1:] == ["egg_info"] and _can_compile()
        else []
    ),
)
