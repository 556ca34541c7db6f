"""Ghosts: the models that would have served pinned turns without affinity, found by routing a sample of them.

``beside`` draws the sample and routes it off the hot path, ``ghost`` says what one turn's ghost comes to, ``sums`` adds
ghosts up, ``days`` keeps the sums by day, in the session store where it is shared, and ``report`` says what affinity
saved, with the margins of ``estimate``.
"""
