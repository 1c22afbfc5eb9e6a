"""Corefiles: read as CoreDNS reads them, judged by what goes wrong behind ``grpc``, and written.

May live here: pure functions from text and values to values. Files and clusters are the commands'.
"""
