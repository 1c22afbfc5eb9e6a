"""A small cluster as manifests (``cluster/``), and the demo that serves it (``make demo``)."""
