"""deploy/helm: linted, rendered, compared with the kustomizations, installed and run."""
