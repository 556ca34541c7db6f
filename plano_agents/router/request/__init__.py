"""The story of one request, from its head to the last byte of its answer.

Read it in this order:

===================  ===============================================================================
``endpoints``        lets the client in, reads the body, writes the answer (``writing``)
``story``            the line itself: read, decide, send, pass back
``turns``            whose session the request is
``choice``           which models may serve it, of those that ``chooser`` knows; ``explain`` says why
``candidates``       the request as each of them takes it
``dispatch``         tries them; ``outcomes`` tables what each outcome leads to
``upstream_answer``  what a provider answers, looked at before the client has a byte
``streams``          a stream on its way to the client, by a `relay`; ``stream_encoders`` make its bytes
``answer``           what goes back, with the contract's headers
``trail``            the record of all this, for observers
``fast_path``        most turns of pinned sessions, without all this: ``fast_head``, ``fast_plan``,
                     ``fast_first`` (by ``ranked_bodies``), ``fast_turn``, ``fast_answer``, ``fast_stream``,
                     ``fast_ends``; ``begun`` is what the story goes on with
===================  ===============================================================================
"""
