"""LlamaIndex: `instrument()`."""

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["llama-index-core>=0.14", "llama-index-llms-openai-like>=0.8"]
NATIVE = False


async def arun(url: str) -> str:
    """Answer the question."""
    llm = OpenAILike(
        model="gpt-4o-mini",
        api_base=url,
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
    )
    return str(await FunctionAgent(tools=[weather], llm=llm, streaming=False).run(QUESTION))
