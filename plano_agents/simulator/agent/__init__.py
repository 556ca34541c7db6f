"""The simulated agent: reads a conversation and the tools it is offered, and acts on them."""
