"""Google ADK: `instrument()`, on LiteLLM.

Not covered: Gemini's own client, which does not speak to a router.
"""

from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["google-adk>=2.13", "litellm>=1.80"]
NATIVE = False


async def arun(url: str) -> str:
    """Answer the question."""
    model = LiteLlm("openai/gpt-4o-mini", api_base=url, api_key="none")
    runner = InMemoryRunner(LlmAgent(name="reporter", model=model, tools=[weather]), app_name="report")
    session = await runner.session_service.create_session(app_name="report", user_id="user")
    message = types.Content(role="user", parts=[types.Part(text=QUESTION)])
    said = ""
    async for event in runner.run_async(user_id="user", session_id=session.id, new_message=message):
        if event.is_final_response() and event.content and event.content.parts:
            said = event.content.parts[0].text or ""
    return said
