from pathlib import Path

from tests.cli.conftest import CONFIG, run


def test_config_check_prints_the_resolved_configuration_with_secrets_masked(config: Path) -> None:
    ended = run("config", "check", str(config), OPENAI_API_KEY="sk-canary-1", ANTHROPIC_API_KEY="sk-canary-2")
    assert ended.returncode == 0
    assert "name: anthropic/claude-sonnet-4-6" in ended.stdout
    assert "first_byte_seconds" in ended.stdout
    assert "canary" not in ended.stdout + ended.stderr


def test_config_check_refuses_what_up_would(config: Path) -> None:
    config.write_text(CONFIG.replace("default: true", "defualt: true"))
    ended = run("config", "check", str(config), "--offline")
    assert (ended.returncode, ended.stdout, "'defualt'" in ended.stderr) == (1, "", True)
