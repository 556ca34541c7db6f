"""One module per framework: how the affinity id gets onto its requests."""
