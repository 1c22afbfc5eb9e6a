"""Manifests on disk as a source: read as kubectl reads them, followed, completed as in a cluster.

source        the source: reads files, follows them, keeps last good states
files         which files ``--manifests`` stands for
documents     the bytes of a file -> documents; JSON streams, Lists; places: their lines
values        YAML -> plain values; scalars: what a scalar means
objects       a document -> an object as written, with the API's defaults
mistakes      what the API would refuse, and what cannot be meant; fields: typing errors in names
controllers   Endpoints and Pods -> the EndpointSlices that a cluster would have made
assembled     all objects -> what is served, under the options
"""
