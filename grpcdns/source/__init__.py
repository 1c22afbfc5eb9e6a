"""Where the objects of a cluster come from, as packed values given to a Sink.

May live here: reading the Kubernetes API, manifest files and snapshots, and what is needed to
turn what they hold into the objects of ``core``. Every source keeps to one shape: made from the
options, ``start(sink)``, and ``stop()``, which is prompt.

    sink            what a source gives its objects to
    kubernetes_api  the API: which kinds, with which selectors, one watch for each
      login         where the API is and who we are; reads a service account itself
      client        reads a kubeconfig, in a process of its own; the only importer of kubernetes
      transport     requests over HTTP, lines of a watch
      throttle      how often and how many at once
      watch         list, then watch, for ever; listing: the list in the making
      rules         what to do after each answer of the API: pure decisions
      journal       what happened, told once
      check         finds what a watch has skipped
      decode        API JSON -> packed objects; shapes: what is read of each kind
    manifests       files as kubectl prints them, followed on disk
      documents     YAML and JSON -> objects, and their lines
      controllers   Endpoints, and Pods behind a selector, -> EndpointSlices
    snapshot        the last synced state, on disk
    scope           which kinds, objects and fields the options ask for
    selector        label selectors: parsing, matching
    clock           time and chance, passed in

May not live here: gRPC, DNS, processes, HTTP servers. ``serve`` imports this, never the other
way round; ``core`` is what both speak in.
"""
