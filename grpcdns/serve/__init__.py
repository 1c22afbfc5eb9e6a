"""The processes of ``grpcdns serve``: `supervisor`, `feed` and `worker`, and what they share.

May live here: what owns a socket, a thread, a signal or a clock. What is answered, and why, is in
`core`; where objects come from is in `source`. Only the worker imports grpc and only the feed
imports a source. The processes know each other through the run folder (`rundir`), the messages on
its socket (`link`), heartbeats and signals (`child_process`) alone. The supervisor also logs what a
child's libraries write to stderr (`supervisor.stderr`).
"""
