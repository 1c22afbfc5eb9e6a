"""The worker process: answers on one address from what the feed sends. One for each ``--listen``.

May live here: the process, its end of the link, the lock around the core's Handler, and look-ups at
the upstream. It never imports kubernetes. What carries the queries is in `transport`.
"""
