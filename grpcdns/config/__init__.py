"""The operator's options: which there are, what their text means, how they are merged.

    options    OPTIONS, one row an option, and Config, the outcome with its defaults
    load       merges flags, GRPCDNS_* variables, the TOML file and defaults; checks the whole
    values     the text of one option -> its value
    selector   label selectors: parsing, matching, writing out

May not live here: anything that acts on an option. Every process imports ``options``, so it stays
small.
"""
