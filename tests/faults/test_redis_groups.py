"""Servers of a group that cannot start."""

import socket
from pathlib import Path

import pytest

from tests.faults.redis_groups import ClusterGroup


async def test_a_group_of_which_a_server_cannot_start_says_why_and_ends_the_others(tmp_path: Path) -> None:
    group = ClusterGroup(tmp_path)
    with socket.create_server(("127.0.0.1", group.servers[1].port)), pytest.raises(ExceptionGroup) as raised:
        async with group:
            pass
    assert "Address already in use" in str(raised.value.exceptions)
    assert not [each for each in group.servers if each.is_alive]
