"""What is still answered although the API no longer says so, and for how long.

It stands in the feed, between the source and the Store that is sent to the workers: so all workers
give the same answers, and a snapshot keeps them. Pure: times are passed in.
"""
