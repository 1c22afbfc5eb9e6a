"""Tests of `grpcdns.source`: one file a behaviour.

Watching is tested over real loopback sockets against `fake_api.FakeApi`, which plays a script and
a clock that never waits; what a real API server does is in the tests marked `servers`.
"""
