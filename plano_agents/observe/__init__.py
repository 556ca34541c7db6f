"""Log, counters and spans: what both servers report, and to whom."""
