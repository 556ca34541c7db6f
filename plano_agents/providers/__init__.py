"""Providers: address, authentication, wire format."""
