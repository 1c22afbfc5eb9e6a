"""The supervisor, ``grpcdns serve`` itself: starts, watches, restarts and ends feed and workers.

May live here: the loop over the children, and how a child is judged. It loads little and serves
nothing, so that it neither grows nor dies: neither grpc nor kubernetes is imported.
"""
