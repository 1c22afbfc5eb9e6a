"""Where the objects of a cluster come from, as packed values given to a Sink.

May live here: reading the Kubernetes API, manifest files and snapshots, and what is needed to
turn what they hold into the objects of ``core``. Every source keeps to one shape: made from the
options, ``start(sink)``, and ``stop()``, which is prompt.

    sink            what a source gives its objects to
    kubernetes_api  the API: which kinds, with which selectors, one watch for each
      client        configuration, credentials, transport; the only importer of ``kubernetes``
      throttle      how often and how many at once
      watch         list, then watch, for ever
      rules         what to do after each answer of the API: pure decisions
      check         finds what a watch has skipped
      decode        API JSON -> packed objects
    manifests       files as kubectl prints them, followed on disk
      yaml_file     YAML and JSON -> documents, with line numbers
      mirror        Endpoints, and Pods behind a selector, -> EndpointSlices
    snapshot        the last synced state, on disk
    selector        label selectors: parsing, matching

May not live here: gRPC, DNS, processes, HTTP servers. ``serve`` imports this, never the other
way round; ``core`` is what both speak in.
"""
