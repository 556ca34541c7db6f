"""Which model answers a request that no pin decides."""
