"""Whether a cluster has all that ``grpcdns serve`` needs: ``run_checks`` asks, ``Report`` answers.

One file a concern, each with a function that decides, without I/O, and one that asks the API and
hands what it read to the first. ``kubernetes_client`` is the only file that talks to the API, and
nothing here prints.
"""
