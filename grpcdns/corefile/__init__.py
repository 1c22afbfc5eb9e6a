"""Corefiles: read as CoreDNS reads them, checked for what goes wrong with ``grpc``, and written.

Pure functions from text and values to values live here. The commands read files and clusters.
"""
