"""DNS itself: names, addresses, messages. Nothing of Kubernetes, and no rule about an answer."""
