"""The wire formats: what each provider reads, refuses and answers."""
