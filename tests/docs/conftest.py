"""kustomize, for the kustomizations that the documents print."""

from tests.deploy.conftest import kustomize

__all__ = ["kustomize"]
