"""Commands to Redis: who gets which answer, how long anybody waits, and what is said when it fails."""

import asyncio
import random
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from plano_agents.sessions.redis_commands import StoreFailedError
from plano_agents.sessions.redis_connection import RedisConnection
from tests.faults.redis_script import answer_by
from tests.faults.redis_server import RedisServer, certify
from tests.patience import PATIENCE_SECONDS
from tests.ports import free_port


@asynccontextmanager
async def connect(url: str, *, timeout_seconds: float = PATIENCE_SECONDS) -> AsyncGenerator[RedisConnection, None]:
    async with aclosing(RedisConnection(url, timeout_seconds=timeout_seconds)) as connection:
        yield connection


@asynccontextmanager
async def connect_briefly(url: str) -> AsyncGenerator[RedisConnection, None]:
    """A connection that waits for 250 ms; the server has answered on it, however long that took."""
    async with connect(url, timeout_seconds=0.25) as connection:
        while True:
            try:
                await connection.call("PING")
            except StoreFailedError:
                continue
            break
        yield connection


async def fail(connection: RedisConnection, *command: str) -> str:
    """Send a command that fails; give the reason."""
    with pytest.raises(StoreFailedError) as failed:
        await connection.call(*command)
    return str(failed.value)


async def test_of_many_concurrent_commands_each_gets_its_own_reply(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        numbers = [str(number) for number in range(2_000)]
        replies = await asyncio.gather(*(connection.call("ECHO", number) for number in numbers))
        assert replies == [number.encode() for number in numbers]


async def test_concurrent_commands_share_one_connection(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        await asyncio.gather(*(connection.call("PING") for _ in range(1_000)))
    stats = await server.tell("INFO", "stats")
    assert isinstance(stats, dict)
    assert stats["total_connections_received"] == 2  # with the one that asks


async def test_commands_asked_together_are_answered_in_their_order(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        assert await connection.call_many([("ECHO", "a"), ("ECHO", "b")]) == [b"a", b"b"]
        assert await connection.call_many([]) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_who_is_cancelled_leaves_its_answer_to_nobody(server: RedisServer, seed: int) -> None:
    """While connections are killed, and batches are given up for being late."""
    chance = random.Random(seed)
    answered = 0

    async def echo(connection: RedisConnection, number: int) -> None:
        nonlocal answered
        try:
            reply = await connection.call("ECHO", str(number))
        except StoreFailedError:
            return
        assert reply == str(number).encode()
        answered += 1

    async with connect(server.url, timeout_seconds=0.1) as connection, server.client() as other:
        calls: list[asyncio.Task[None]] = []
        for number in range(4_000):
            calls.append(asyncio.create_task(echo(connection, number)))
            if chance.random() < 0.3:
                chance.choice(calls[-50:]).cancel()
            if chance.random() < 0.01:
                await other.execute_command("CLIENT", "KILL", "TYPE", "normal")  # type: ignore[no-untyped-call]
            if chance.random() < 0.002:
                server.freeze()
                await asyncio.wait([asyncio.create_task(echo(connection, number))])
                server.thaw()
            if chance.random() < 0.2:
                await asyncio.sleep(0)
        done = await asyncio.gather(*calls, return_exceptions=True)
    assert not [each for each in done if isinstance(each, Exception)]
    assert answered


async def test_a_connection_that_was_closed_while_idle_is_opened_anew(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        await connection.call("PING")
        for _ in range(10):
            await server.tell("CLIENT", "KILL", "TYPE", "normal")
            await server.tell("PING")  # by then the loop has seen the end of the first connection
            assert await connection.call("PING") == b"PONG"


async def test_a_command_whose_answer_got_lost_is_not_sent_again() -> None:
    sent = []

    def lose_it(command: list[bytes]) -> None:
        sent.append(command)

    async with answer_by(lose_it) as url, connect(url) as connection:
        await fail(connection, "GETDEL", "a")
        assert sent == [[b"GETDEL", b"a"]]


async def test_a_frozen_server_costs_the_timeout_and_so_does_waiting_behind_it(server: RedisServer) -> None:
    async with connect_briefly(server.url) as connection:
        server.freeze()
        first = asyncio.create_task(fail(connection, "PING"))
        await asyncio.sleep(0)
        reasons = [await each for each in (first, asyncio.create_task(fail(connection, "PING")))]
        assert reasons[0] == "no answer within 250 ms"


async def test_who_comes_while_a_batch_is_late_fails_with_it(server: RedisServer) -> None:
    async with connect_briefly(server.url) as connection:
        server.freeze()
        calls = [asyncio.create_task(fail(connection, "PING"))]
        for _ in range(5):  # it goes out
            await asyncio.sleep(0)
        assert not connection._asked
        calls += [asyncio.create_task(fail(connection, "PING")) for _ in range(10)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert all(each.done() for each in calls)
        assert done


async def test_a_busy_event_loop_is_no_sign_that_the_server_is_out(server: RedisServer) -> None:
    loop = asyncio.get_running_loop()
    async with connect_briefly(server.url) as connection:
        call = asyncio.create_task(connection.call("PING"))
        for _ in range(5):  # it goes out
            await asyncio.sleep(0)
        began = loop.time()
        while loop.time() - began < 0.3:
            pass
        assert await call == b"PONG"


async def test_a_peer_that_never_says_a_word_costs_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}"
        async with connect(url, timeout_seconds=0.25) as connection:
            assert await fail(connection, "PING") == "no answer within 250 ms"


async def test_closing_does_not_wait_for_a_frozen_server(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        await connection.call("PING")
        server.freeze()
        call = asyncio.create_task(fail(connection, "PING"))
        await asyncio.sleep(0)
    assert await call == "the router stops"


async def test_after_a_failure_the_next_command_may_succeed(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        await server.kill()
        await fail(connection, "PING")
        await server.start()
        assert await connection.call("PING") == b"PONG"


async def test_nobody_listening_is_said_without_a_password() -> None:
    async with connect(f"redis://user:secret@127.0.0.1:{free_port()}/2") as connection:
        reason = await fail(connection, "PING")
    assert "Connect" in reason
    assert "secret" not in reason


@pytest.mark.parametrize("password", ["wrong-one", None])
async def test_a_wrong_password_is_said_without_it(tmp_path: Path, password: str | None) -> None:
    async with RedisServer(tmp_path, "--requirepass", "right-one") as server:
        user = f"default:{password}@" if password else ""
        async with connect(server.url.replace("//", f"//{user}")) as connection:
            reason = await fail(connection, "GET", "plano:key-of-a-tenant")
    assert "assword" in reason or "Authentication" in reason
    assert not {"wrong-one", "right-one", "plano:key-of-a-tenant"} & set(reason.split())


async def test_a_server_that_is_too_old_is_said_to_be() -> None:
    """The errors of Redis 6.2 to SET NX GET, and of Redis 6.0 to GETEX."""
    answers = {
        b"SET": b"-ERR syntax error\r\n",
        b"GETEX": b"-ERR unknown command `GETEX`, with args beginning with: `some-key`, `PX`, \r\n",
    }
    async with answer_by(lambda command: answers[command[0]]) as url, connect(url) as connection:
        assert await fail(connection, "SET", "a", "b") == "syntax error: Redis 7.0 or newer is needed"
        reason = await fail(connection, "GETEX", "some-key")
    assert reason == "unknown command `GETEX`: Redis 7.0 or newer is needed"


async def test_a_cluster_that_is_taken_for_one_server_is_said_to_be_one() -> None:
    async with answer_by(lambda _: b"-MOVED 3999 127.0.0.1:6381\r\n") as url, connect(url) as connection:
        assert "Write redis+cluster://" in await fail(connection, "GET", "a")


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\r\n\r\n",
        b"$9999999999999999999999\r\n",
        b"$x\r\n",
        b"\x00\xff\xfe\r\n",
        b":no number\r\n",
    ],
)
async def test_a_peer_that_is_no_redis_fails_like_any_other(garbage: bytes) -> None:
    async with answer_by(lambda _: garbage) as url, connect(url, timeout_seconds=0.05) as connection:
        try:
            await connection.call("PING")
        except StoreFailedError:
            return
        raise AssertionError(garbage)


async def test_one_failing_command_does_not_fail_anothers(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        wrong, right = await asyncio.gather(connection.call("NO-SUCH"), connection.call("PING"), return_exceptions=True)
    assert isinstance(wrong, StoreFailedError)
    assert right == b"PONG"


async def test_what_is_wrong_with_a_value_only_is_a_reply(server: RedisServer) -> None:
    await server.tell("RPUSH", "list", "a")
    await server.tell("HSET", "hash", "turns", "x")
    async with connect(server.url) as connection:
        replies = await connection.call_many([("GET", "list"), ("HINCRBY", "hash", "turns", 1)])
    assert all(isinstance(reply, Exception) for reply in replies)


async def test_user_password_and_database_are_taken_from_the_url(tmp_path: Path) -> None:
    async with RedisServer(tmp_path, "--user", "ann", "on", ">p@ss", "~*", "+@all") as server:
        async with connect(server.url.replace("//", "//ann:p%40ss@") + "/3") as connection:
            assert await connection.call("ACL", "WHOAMI") == b"ann"
            await connection.call("SET", "a", "1")
        keyspace = await server.tell("INFO", "keyspace")
    assert isinstance(keyspace, dict)
    assert keyspace.keys() == {"db3"}


async def test_a_server_is_spoken_to_over_tls(tmp_path: Path) -> None:
    tls = certify(tmp_path)
    async with RedisServer(tmp_path, tls=tls) as server, connect(f"{server.url}?{tls.query}") as own:
        assert await own.call("ECHO", "a") == b"a"


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    tls = certify(tmp_path)
    async with RedisServer(tmp_path, tls=tls) as server, connect(server.url) as connection:
        assert "CERTIFICATE_VERIFY_FAILED" in await fail(connection, "PING")


async def test_a_frozen_server_costs_no_more_over_tls(tmp_path: Path) -> None:
    tls = certify(tmp_path)
    async with (
        RedisServer(tmp_path, tls=tls) as server,
        connect_briefly(f"{server.url}?{tls.query}") as connection,
    ):
        server.freeze()
        assert await fail(connection, "PING") == "no answer within 250 ms"


@pytest.mark.parametrize("option", ["decode_responses=1", "protocol=3", "socket_timeout=9", "retry_on_timeout=1"])
async def test_an_option_of_the_url_changes_neither_replies_nor_timing(server: RedisServer, option: str) -> None:
    async with connect_briefly(f"{server.url}?{option}") as connection:
        await connection.call("HSET", "hash", "a", "1")
        assert await connection.call("HGETALL", "hash") == [b"a", b"1"]
        server.freeze()
        assert await fail(connection, "PING") == "no answer within 250 ms"


@pytest.mark.parametrize(
    "url", ["http://localhost", "redis://localhost/x", "redis://localhost?no_such=1", "redis://h:70000"]
)
def test_a_url_that_is_none_of_redis_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        RedisConnection(url)
