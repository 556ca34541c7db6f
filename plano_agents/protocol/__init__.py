"""Wire formats, without any IO: server-sent events, OpenAI chat and responses, Anthropic messages, translation."""
