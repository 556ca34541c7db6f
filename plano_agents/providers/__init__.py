"""Who serves a model: address, authentication, wire format."""
