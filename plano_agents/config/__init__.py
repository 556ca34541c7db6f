"""``config.yaml`` in Plano's schema, and our own settings beside it, as one frozen `Config`."""
