"""A body with a known outline is read as if it had been parsed, and none is taken for one that has it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import RequestError
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.openai_chat import parse_head
from plano_agents.protocol.outline import MAX_BYTES, NO_BEGINNING, Beginnings, Outline, cut_around
from plano_agents.protocol.request_body import RequestBody

FIELDS = st.dictionaries(st.sampled_from(["a", "model", "tools", "stream"]), st.sampled_from(["x", [1], {"b": None}]))
MIDDLES = st.one_of(
    st.lists(st.sampled_from([{}, {"role": "user"}, "messages", ["]"]])).map(lambda value: json.dumps(value).encode()),
    st.lists(
        st.sampled_from([b"[", b"]", b"{", b"}", b'"', b",", b":", b"1", b'"messages"', b" ", b"\\", b"\xff"]),
        max_size=8,
    ).map(b"".join),
)


def learn(before: bytes, after: bytes) -> Outline:
    fields = split_fields(before + b'["marked"]' + after)
    return Outline(before, after, "messages", fields, model=None, streams=False, beginnings=Beginnings())


@given(first=FIELDS, last=FIELDS, middle=MIDDLES, separators=st.sampled_from([(",", ":"), (", ", ": ")]))
def test_a_body_with_a_known_outline_has_the_fields_that_parsing_finds(
    first: dict[str, object], last: dict[str, object], middle: bytes, separators: tuple[str, str]
) -> None:
    """The fields may come twice, and the middle may be anything."""
    around = [json.dumps(fields, separators=separators)[1:-1] for fields in (first, last)]
    before = f'{{{around[0]}{"," if first else ""}"messages":'.encode()
    after = f"{',' if last else ''}{around[1]}}}".encode()
    outline, body = learn(before, after), before + middle + after
    conversation = outline.find_conversation(body)
    checked = outline.check_conversation(conversation, b"s") if conversation is not None else None
    try:
        fields = split_fields(body)
    except RequestError:
        assert checked is None
        return
    if conversation is not None and checked is not None:
        assert outline.read_fields(conversation) == fields
        assert bytes(fields["messages"]) == conversation


TURNS = st.lists(st.sampled_from([{"role": "user"}, {}, {"content": "]"}]), min_size=1, max_size=4)
ENDS = st.sampled_from(
    [b"]", b",]", b",{}]", b", {} ]", b",{}", b"]]", b",1]", b"}]", b",{}]]", b",[]]", b"", b',{"a":}]']
)


@given(turns=TURNS, ends=st.lists(ENDS, min_size=1, max_size=4))
def test_a_conversation_that_goes_on_is_json_where_parsing_all_of_it_says_so(
    turns: list[dict[str, str]], ends: list[bytes]
) -> None:
    outline = learn(b'{"messages":', b"}")
    conversation = json.dumps(turns).encode()
    assert outline.check_conversation(conversation, b"s") is not None
    for end in ends:
        longer = conversation[:-1] + end
        try:
            json.loads(longer)
        except ValueError:
            assert outline.check_conversation(longer, b"s") is None
        else:
            known, _ = outline.check_conversation(longer, b"s") or (None, None)
            assert known is not None
            conversation = longer


def test_a_body_is_built_of_its_outline_as_it_is_parsed() -> None:
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"stream":true}'
    parsed = RequestBody(body, parse_head)
    cut = cut_around(body, bytes(parsed.fields["messages"]))
    assert cut is not None
    outline = Outline(
        *cut, "messages", parsed.fields, model=parsed.model, streams=parsed.streams, beginnings=Beginnings()
    )
    longer = body.replace(b'"hi"', b'"hi, again"')
    conversation = outline.find_conversation(longer)
    assert conversation is not None
    built, again = (
        RequestBody.build(longer, parse_head, outline, conversation, (NO_BEGINNING, NO_BEGINNING)),
        RequestBody(longer, parse_head),
    )
    assert (built.fields, built.model, built.streams, built.preferences, built.head) == (
        again.fields,
        again.model,
        again.streams,
        again.preferences,
        again.head,
    )


def test_no_outline_is_cut_where_the_conversation_stands_twice_or_much_is_around_it() -> None:
    assert cut_around(b'{"messages":[],"tools":[]}', b"[]") is None
    assert cut_around(b'{"messages":[],"system":"%b"}' % (b"x" * MAX_BYTES), b"[]") is None


def test_the_conversations_that_came_last_are_known() -> None:
    beginnings = Beginnings(max_bytes=100_000)
    fields = split_fields(b'{"messages":["marked"]}')
    outline, other = (
        Outline(b'{"messages":', b"}", "messages", fields, model=None, streams=False, beginnings=beginnings)
        for _ in range(2)
    )

    def is_known(session: bytes, *, by: Outline = outline) -> bool:
        checked = by.check_conversation(turn % session + b",{}]", session)
        assert checked is not None
        return checked[0] is not NO_BEGINNING

    turn = b'[{"content":"' + b"x" * 30_000 + b'","by":"%b"}'
    for session in (b"a", b"b", b"c", b"d"):  # three have room
        outline.check_conversation(turn % session + b"]", session)
    assert [is_known(session) for session in (b"b", b"c", b"d", b"a")] == [True, True, True, False]
    assert not is_known(b"d", by=other)
