"""Sessions: what is remembered of each, and every decision about its model."""
