"""HTTP/1.1, both ends, over one grammar."""
