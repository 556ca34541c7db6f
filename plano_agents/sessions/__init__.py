"""What is remembered of a session, and what its next request may do with it."""
