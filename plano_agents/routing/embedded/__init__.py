"""The embedded strategy: a small sentence encoder that runs on NumPy, offline, and loads when it is first needed.

From text to match: `lexicon` puts English words before what is not English, `wordpiece` makes token ids of it,
`encoder` a vector; `scorer` scores preferences by vectors, `conversation` weighs several messages, and `strategy` does
all this off the event loop, many requests at a time.
"""
