"""What is still answered although the API no longer says so."""
