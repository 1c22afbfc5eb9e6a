"""Where the objects of a cluster come from.

May live here: reading the Kubernetes API, manifest files and snapshots, and turning what they hold
into packed objects of ``core``. Every source has one shape: made from the options by ``make``,
``start(sink)``, ``set_policy(policy)`` on a reload, and ``stop()``, which is prompt.

    make         picks the source that the options name
    sink         what a source gives its objects to
    scope        which kinds and fields the options for answers need
    kinds        one row for each watched kind: path, JSON shape, converter, selectors
    clock        time and chance, passed in
    snapshot     the last synced state, on disk
    api/         the Kubernetes API: login, requests, list and watch, consistency check
    manifests/   YAML and JSON files, and the EndpointSlices that a cluster would have made of them

May not live here: gRPC, DNS, processes, HTTP servers. ``serve`` and ``cli`` import this, never the
other way round.
"""
