"""Reads a kubeconfig with the ``kubernetes`` package (the other importer is preflight).

    python -m grpcdns.source.api.kubeconfig FILES [CONTEXT]

prints a Login as JSON, or one line of error with exit code 1. It is a separate process because the
package, once imported, cannot be unloaded (see login.py). Its errors become one line here.
"""

from __future__ import annotations

import base64
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from grpcdns.source.api.login import Login


class _Reasons(logging.Handler):
    """Keeps what the package only logs: it raises nothing when a credentials plugin fails."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(" ".join(record.getMessage().split()))


def load(path: str, context: str = "") -> Login:
    """The Login that a kubeconfig describes. Raises ValueError with the reason."""
    found = configuration(path, context)
    return Login(
        host=found.host,
        token=found.api_key.get("BearerToken", ""),
        ca=_read(found.ssl_ca_cert),
        cert=_read(found.cert_file),
        key=_read(found.key_file),
        verify=bool(found.verify_ssl),
        server_name=found.tls_server_name or "",
        proxy=found.proxy or "",
    )


def configuration(path: str, context: str = "") -> Any:
    """The package's Configuration of a kubeconfig. Raises ValueError with the reason.

    ``path``: a file, or several separated by colons, which are merged as kubectl does it.
    """
    files = _existing(path)
    if len(files) > 1:
        context = context or _current_context(files)
    reasons = _Reasons()
    logging.getLogger().addHandler(reasons)
    try:
        found = _configuration(os.pathsep.join(map(str, files)), context or None)
    finally:
        logging.getLogger().removeHandler(reasons)
    if not found.api_key.get("BearerToken") and found.username:
        pair = f"{found.username}:{found.password or ''}".encode()
        found.api_key["BearerToken"] = f"Basic {base64.b64encode(pair).decode()}"
    if not found.api_key.get("BearerToken") and not found.cert_file and reasons.lines:
        raise ValueError(f"no credentials: {reasons.lines[-1]}")
    return found


def _existing(path: str) -> list[Path]:
    """The files that exist: kubectl skips the others, the package would skip even a single one."""
    files, missing = [], "no file named"
    for part in filter(None, path.split(os.pathsep)):
        file = Path(part).expanduser()
        try:
            file.read_bytes()
            files.append(file)
        except FileNotFoundError as error:
            missing = str(error.strerror)
        except OSError as error:
            raise ValueError(error.strerror) from error
    if not files:
        raise ValueError(missing)
    return files


def _current_context(files: Sequence[Path]) -> str:
    """The first file that sets it wins in kubectl, the last one in the package."""
    import yaml

    for file in files:
        try:
            content = yaml.safe_load(file.read_bytes())
        except yaml.YAMLError as error:
            raise ValueError(f"not YAML: {' '.join(str(error).split())}") from error
        if isinstance(content, dict) and content.get("current-context"):
            return str(content["current-context"])
    return ""


def _configuration(path: str, context: str | None) -> Any:
    """What the package makes of the file. Raises ValueError."""
    import yaml
    from kubernetes import config
    from kubernetes.client import Configuration

    found = Configuration()
    try:
        config.load_kube_config(path, context, found, persist_config=False)  # type: ignore[no-untyped-call]
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from error
    except config.ConfigException as error:
        raise ValueError(" ".join(str(error).split())) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a kubeconfig: {' '.join(str(error).split())}") from error
    return found


def _read(path: str | None) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text()
    except (OSError, ValueError) as error:
        raise ValueError(str(error)) from error


def main(arguments: list[str]) -> int:
    """Exit code 0 and a Login on stdout, or 1 and a line on stderr."""
    try:
        login = load(*arguments)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(login))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
