"""What is known of a cluster: its objects, packed, and indexes that find them.

Nothing here depends on an option or knows what is answered; it knows which objects, endpoints and
ports have a name or an address.
"""
