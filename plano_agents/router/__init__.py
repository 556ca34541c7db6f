"""The proxy: a request's whole story, from the client to the provider and back."""
