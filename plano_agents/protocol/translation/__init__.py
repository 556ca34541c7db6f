"""From one wire format to another: pure functions of requests, answers and streams."""
