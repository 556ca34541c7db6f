"""What models can take: a small table that ships with the package, below what the settings say.

A row holds for an id and for all that continue it after a hyphen or a colon: ``gpt-4o`` for ``gpt-4o-2024-08-06``, not
for ``gpt-4o2`` or ``gpt-4o.5``; the longest row wins. The provider does not matter, nor does a vendor's path before
the id (``meta-llama/``). What is not known is assumed to be possible, and of two figures the larger one stands here:
a wrong "cannot" would move a run to another model for nothing, while a wrong "can" is put right by the provider's own
answer.

Figures: LiteLLM 1.110's ``model_prices_and_context_window.json`` (the most input, vision, function calling), and
Anthropic's documentation for the window of a million tokens that a beta header opens on Sonnet 4.5.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace

from plano_agents.config.model import WILDCARD, Model, ModelProfile

_MILLION = 1_000_000
_MEBI = 1_048_576

_ROWS: tuple[tuple[int | None, bool | None, bool | None, str], ...] = (
    # tokens of input; images; tools; ids
    (16_385, False, True, "gpt-3.5-turbo"),
    (8_192, False, True, "gpt-4"),
    (32_768, False, True, "gpt-4-32k"),
    (128_000, False, True, "gpt-4-1106-preview gpt-4-0125-preview"),
    (128_000, True, True, "gpt-4-turbo gpt-4-vision-preview gpt-4o"),
    (128_000, False, True, "gpt-4o-audio-preview gpt-4o-mini-audio-preview gpt-audio"),
    (1_047_576, True, True, "gpt-4.1"),
    (272_000, True, True, "gpt-5 gpt-5.1 gpt-5.2 gpt-5.3 gpt-5.4-mini gpt-5.4-nano"),
    (400_000, True, True, "gpt-5-pro gpt-5.1-codex"),
    (128_000, True, None, "gpt-5-chat gpt-5.1-chat gpt-5.2-chat gpt-5.3-chat"),
    (1_050_000, True, True, "gpt-5.4 gpt-5.5"),
    (922_000, True, True, "gpt-5.6 gpt-6 gpt-6.1"),
    (131_072, False, True, "gpt-oss"),
    (200_000, True, True, "o1 o3 o4-mini"),
    (200_000, True, None, "o3-deep-research o4-mini-deep-research"),
    (128_000, False, False, "o1-mini o1-preview"),
    (200_000, False, True, "o3-mini"),
    (200_000, True, True, "claude-3 claude-3.5 claude-3.7"),
    (200_000, True, True, "claude-haiku-4-5 claude-haiku-4.5 claude-opus-4-5 claude-opus-4.5"),
    (_MILLION, True, True, "claude-sonnet-4 claude-sonnet-4-5 claude-sonnet-4-6"),
    (_MILLION, True, True, "claude-opus-4-6 claude-opus-4-7 claude-opus-4-8"),
    (_MILLION, True, True, "claude-haiku-5-5 claude-sonnet-5 claude-opus-5 claude-fable-5 claude-mythos-5"),
    (_MEBI, True, True, "gemini-2.5 gemini-3 gemini-3.1 gemini-3.5 gemini-3.6 gemini-3.7 gemini-3.8"),
    (_MEBI, True, True, "gemini-4 gemini-flash-latest gemini-flash-lite-latest gemini-pro-latest"),
    (131_072, True, None, "gemma-3"),
    (262_144, True, True, "gemma-4"),
    (262_144, None, True, "mistral-large mistral-medium mistral-small magistral ministral"),
    (_MEBI, True, True, "mistral-large-4"),
    (256_000, False, None, "codestral"),
    (256_000, None, True, "devstral"),
    (128_000, False, None, "open-mistral-nemo"),
    (128_000, True, True, "pixtral-large"),
    (163_840, False, None, "deepseek-v3 deepseek-v3.1 deepseek-v3.2 deepseek-r1"),
    (_MILLION, None, True, "deepseek-chat deepseek-reasoner deepseek-v4-flash"),
    (_MILLION, False, True, "deepseek-v4-pro"),
    (131_072, False, True, "grok-3"),
    (256_000, None, True, "grok-4 grok-code-fast"),
    (2_000_000, True, True, "grok-4-fast grok-4-1-fast"),
    (500_000, True, True, "grok-4.5 grok-4.6 grok-4.7"),
    (_MILLION, True, True, "grok-4.20 grok-4-20 grok-4.3"),
    (_MILLION, True, None, "grok-4.20-multi-agent"),
    (262_144, False, True, "kimi-k2"),
    (262_144, True, True, "kimi-k2.5 kimi-k2.6 kimi-k2.7"),
    (_MEBI, True, True, "kimi-k3 kimi-k3.1"),
    (8_192, False, True, "moonshot-v1-8k"),
    (32_768, False, True, "moonshot-v1-32k"),
    (131_072, False, True, "moonshot-v1-128k"),
    (8_192, True, True, "moonshot-v1-8k-vision-preview"),
    (32_768, True, True, "moonshot-v1-32k-vision-preview"),
    (131_072, True, True, "moonshot-v1-128k-vision-preview"),
    (8_192, False, None, "llama-3 llama3"),
    (131_072, False, None, "llama-3.1 llama-3.3 llama3.1 llama3.3 llama-3.2-1b llama-3.2-3b"),
    (131_072, None, None, "llama-3.2 llama3.2"),
    (_MEBI, True, None, "llama-4-maverick"),
    (10_485_760, True, None, "llama-4-scout"),
    (_MILLION, None, True, "qwen-plus qwen-turbo qwen-flash"),
    (131_072, False, None, "qwen2.5 qwen-2.5 qwq"),
    (131_072, True, None, "qwen2.5-vl qwen-2.5-vl"),
    (262_144, False, None, "qwen3 qwen-3"),
    (_MILLION, False, True, "qwen3-coder"),
    (262_144, True, None, "qwen3-vl qwen3-omni"),
    (_MILLION, None, True, "qwen3.5 qwen3.7 qwen3.8"),
    (131_072, False, True, "glm-4.5"),
    (131_072, True, True, "glm-4.5v glm-4.6v"),
    (202_752, False, True, "glm-4.6 glm-4.7 glm-5 glm-5.1"),
    (202_752, True, True, "glm-5v"),
    (_MEBI, False, True, "glm-5.2 glm-5.3"),
    (_MEBI, True, True, "glm-5.3-flash"),
    (204_800, False, True, "minimax-m2"),
    (_MILLION, False, True, "minimax-m2.1 minimax-m2.5"),
    (_MILLION, True, True, "minimax-m3"),
    (262_144, False, True, "mimo-v2-flash"),
    (_MEBI, True, True, "mimo-v2.5 mimo-v2.6"),
    (_MEBI, False, True, "mimo-v2.5-pro"),
)

KNOWN: Mapping[str, ModelProfile] = {
    model_id: ModelProfile(window, images, tools)
    for window, images, tools, ids in _ROWS
    for model_id in ids.split()
}
"""The table, by id."""

_UNKNOWN = ModelProfile()


def find_profile(model: Model, settings: Mapping[str, ModelProfile]) -> ModelProfile:
    """Find what a model can take.

    Args:
        model: A configured model, or one of a wildcard's.
        settings: What the operator says, by provider-qualified name or wildcard.

    Returns:
        Each field from the model's own setting, else its wildcard's, else the table.
    """
    profile = find_known(model.model_id)
    for name in (f"{model.provider}/{WILDCARD}", model.name):
        said = settings.get(name)
        if said is not None:
            profile = replace(
                profile, **{field: value for field, value in asdict(said).items() if value is not None}
            )
    return profile


def find_known(model_id: str) -> ModelProfile:
    """Find what the table says of a model, by what its provider calls it."""
    name = model_id.rpartition("/")[2].lower().removeprefix("meta-")
    ends = [len(name), *(at for at in range(len(name) - 1, 0, -1) if name[at] in "-:@")]
    return next((KNOWN[name[:end]] for end in ends if name[:end] in KNOWN), _UNKNOWN)
