"""The traps of ``grpcdns corefile --check``: one row each, in the table of the part it looks at.

``grpc_lines`` has the rows on the ``grpc`` lines, ``same_block`` those on the other lines of the
same server block, ``whole_file`` those on the Corefile as a whole. ``trap`` has the values. A row
says what goes wrong and what to do; tests/system/corefile shows each on a real CoreDNS.
"""
