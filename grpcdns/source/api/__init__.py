"""The Kubernetes API as a source: which kinds are watched, under which selectors.

    source       KubernetesApi: starts and stops everything below
      login      where the API is and who we are; reads a service account itself
      kubeconfig reads kubeconfigs with the ``kubernetes`` package, in a child process
      client     HTTP requests, the lines of a watch; errors become ApiError, Unreachable, Stopped
      throttle   limits on requests a second and in flight
      watch      list, then watch, for ever: one kind, one thread
      retry      what to do after each answer of the API: pure decisions
      listing    a list while it is read
      journal    logs and notes each change of state once
      audit      the consistency check: finds events that a watch has missed
      decode     API JSON -> packed objects
      envelope   the JSON around objects: lists, events, errors
      splitter   splits a list into objects while it arrives

May not live here: anything about DNS, or about what becomes of the objects.
"""
