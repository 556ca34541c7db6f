"""Access to the operators' endpoints."""

import pytest

from plano_agents.errors import AdminOnlyError, AuthenticationError
from plano_agents.router.operate.admin import check_operator, is_operators
from plano_agents.secret_str import SecretStr

TOKEN = SecretStr("admin-canary")
HERE = ("host", "127.0.0.1:12000")


@pytest.mark.parametrize("path", ["/affinity", "/affinity/", "/affinity/a/b", "/metrics"])
def test_operators_paths(path: str) -> None:
    assert is_operators(path)


@pytest.mark.parametrize("path", ["/affinityx", "/v1/models", "/metricsx", "//affinity"])
def test_other_paths(path: str) -> None:
    assert not is_operators(path)


@pytest.mark.parametrize("given", ["Bearer admin-canary", "bearer admin-canary"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.9", None])
def test_the_token_opens_from_anywhere(given: str, peer: str | None) -> None:
    check_operator(TOKEN, [("authorization", given), ("x-forwarded-for", "1.2.3.4")], peer, "1.1")


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer admin", "Basic admin-canary", "admin-canary", "Bearer \xe9"]
)
def test_without_the_token_nobody_is_let_in_where_there_is_one(given: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        check_operator(TOKEN, [("authorization", given), HERE], "127.0.0.1", "1.1")
    assert "canary" not in caught.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:12000", "localhost:1", "LOCALHOST", "[::1]:12000", "[::1]"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_is_let_in(host: str, peer: str) -> None:
    check_operator(None, [("host", host)], peer, "1.1")


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ([HERE], "10.0.0.9"),
        ([HERE], None),
        ([HERE], ""),
        ([("host", "router.example")], "127.0.0.1"),
        ([("host", "127.0.0.1.evil.example")], "127.0.0.1"),
        ([("host", "localhost.evil.example:80")], "127.0.0.1"),
        ([("host", "")], "127.0.0.1"),
        ([], "127.0.0.1"),
        ([HERE, ("x-forwarded-for", "127.0.0.1")], "127.0.0.1"),
        ([HERE, ("forwarded", "for=127.0.0.1")], "127.0.0.1"),
        ([HERE, ("via", "1.1 proxy")], "127.0.0.1"),
        ([HERE, ("x-real-ip", "::1")], "127.0.0.1"),
        ([HERE, ("sec-fetch-site", "cross-site")], "127.0.0.1"),
        ([HERE, ("sec-fetch-site", "same-site")], "127.0.0.1"),
        ([HERE, ("origin", "https://evil.example")], "127.0.0.1"),
        ([HERE, ("origin", "http://localhost:3000")], "127.0.0.1"),
        ([HERE, ("origin", "null")], "127.0.0.1"),
    ],
)
def test_without_a_token_whoever_may_be_elsewhere_is_refused(headers: list[tuple[str, str]], peer: str | None) -> None:
    with pytest.raises(AdminOnlyError, match="admin_token"):
        check_operator(None, headers, peer, "1.1")


@pytest.mark.parametrize(
    "header",
    [
        "cdn-loop", "cf-connecting-ip", "cf-ray", "client-ip", "do-connecting-ip", "fastly-client-ip",
        "fly-client-ip", "fly-forwarded-port", "forwarded", "tailscale-user-login", "true-client-ip", "via",
        "x-akamai-edgescape", "x-amz-cf-id", "x-amzn-trace-id", "x-appengine-user-ip", "x-azure-clientip",
        "x-azure-fdid", "x-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-forwarded-for",
        "x-forwarded-prefix", "x-forwarded-proto", "x-original-forwarded-for", "x-original-host", "x-real-ip",
    ],
)  # fmt: skip
def test_without_a_token_every_proxys_header_is_refused_and_named(header: str) -> None:
    with pytest.raises(AdminOnlyError, match=rf"through a proxy \({header}\)"):
        check_operator(None, [HERE, (header, "x")], "127.0.0.1", "1.1")


@pytest.mark.parametrize("header", ["x-request-id", "x-model-affinity", "x-forwarded", "x-amz-date", "x-origin"])
def test_other_headers_show_no_proxy(header: str) -> None:
    check_operator(None, [HERE, (header, "x")], "127.0.0.1", "1.1")


def test_without_a_token_a_proxy_that_tells_nothing_but_its_old_http_is_refused() -> None:
    """The headers that nginx before 1.29.7 sends by default."""
    with pytest.raises(AdminOnlyError, match=r"HTTP/1\.0"):
        check_operator(None, [HERE], "127.0.0.1", "1.0")


@pytest.mark.parametrize("host", ["127.0.0.1:12000", "LocalHost:12000", "[::1]:12000", "localhost"])
def test_a_page_of_the_routers_own_names_it_as_its_origin_and_is_let_in(host: str) -> None:
    headers = [("host", host), ("origin", f"http://{host.lower()}")]
    check_operator(None, headers, "127.0.0.1", "1.1")


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_a_page_of_the_routers_own_is_let_in(site: str) -> None:
    check_operator(None, [HERE, ("sec-fetch-site", site)], "127.0.0.1", "1.1")
