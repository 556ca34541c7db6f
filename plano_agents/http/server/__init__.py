"""The server end: connections, heads, bodies, exchanges."""
