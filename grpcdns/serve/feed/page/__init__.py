"""The page of ``--admin``: HTML and SVG from a `Status` or an explanation.

May live here: pure functions from values to markup, and files that are served as they are. All text
goes through `markup`, which escapes it.
"""
