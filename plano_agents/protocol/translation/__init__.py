"""From one wire format to another: pure functions of requests, answers and streams.

OpenAI chat, extended, is the hub (`openai_chat_request`, `openai_completion`): what comes in is read into it, what
goes out is written from it, and compositions give the rest. A module's name says what it translates, from which
format and to which. `translation` puts them together for one request. What is carried how is tabled in
``docs/translation.md``.
"""
