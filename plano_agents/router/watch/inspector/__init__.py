"""The inspector: which model served which turn of which session, and why, on one page at ``/inspector``.

``record`` writes down a request that is over, ``history`` remembers the latest within bounds, ``events`` tells of them
as they come, ``answers`` answers the page's questions, ``site`` guards and serves page and answers, and ``relay`` puts
several workers' requests into one history.
"""
