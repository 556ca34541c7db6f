"""A deep agent on the files of its folder: ``deep_agent.py WORDS plain|streamed``."""

import os
import sys

from deepagents import create_deep_agent
from deepagents.backends import FilesystemBackend
from langchain_openai import ChatOpenAI

words, form = sys.argv[1:]
model = ChatOpenAI(model=os.environ["MODEL"], streaming=form == "streamed")
agent = create_deep_agent(model=model, backend=FilesystemBackend(root_dir=".", virtual_mode=True))
print(agent.invoke({"messages": [{"role": "user", "content": words}]})["messages"][-1].content)
