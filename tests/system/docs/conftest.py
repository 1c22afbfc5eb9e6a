"""kustomize, for the kustomizations that the documents print."""

from tests.system.deploy.conftest import kustomize

__all__ = ["kustomize"]
