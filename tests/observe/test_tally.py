"""Counting: counters, histograms, readings, and how many series there can be."""

from plano_agents.observe.tally import MAX_SERIES, Counter, Histogram, Labels, Reading


def test_a_counter_adds_up_by_its_labels() -> None:
    counter = Counter("c", "What.", ["a"])
    for amount in (1, 2.5):
        counter.add(("x",), amount)
    counter.add(("y",))
    assert counter.read() == {("x",): (3.5,), ("y",): (1,)}


def test_a_counter_without_labels_stands_at_nothing_from_the_start() -> None:
    assert Counter("c", "What.").read() == {(): (0,)}


def test_a_counter_stands_at_nothing_where_it_is_told_to() -> None:
    assert Counter("c", "What.", ["a"], start=[("x",)]).read() == {("x",): (0,)}


def test_a_value_falls_into_the_first_bucket_that_reaches_it() -> None:
    histogram = Histogram("h", "What.", (1, 2))
    for value in (0.5, 1, 1.5, 2.5, 100):
        histogram.note((), value)
    assert histogram.read() == {(): [2, 1, 2, 105.5]}


def test_a_reading_is_read_anew_each_time() -> None:
    state: dict[Labels, float] = {(): 1.0}
    reading = Reading("r", "What.", lambda: state)
    state[()] = 2.0
    assert reading.read() == {(): (2,)}


def test_however_many_labels_come_the_series_are_bounded_and_nothing_is_lost() -> None:
    counter, histogram = Counter("c", "What.", ["a", "b"]), Histogram("h", "What.", (1,), ["a"])
    for number in range(3 * MAX_SERIES):
        counter.add((str(number), "x"))
        histogram.note((str(number),), 0.5)
    counts, sizes = counter.read(), histogram.read()
    assert (len(counts), len(sizes)) == (MAX_SERIES + 1, MAX_SERIES + 1)
    assert counts["other", "other"] == (2 * MAX_SERIES,)
    assert sum(numbers[0] for numbers in sizes.values()) == 3 * MAX_SERIES


def test_every_tally_says_what_it_is_and_how_it_is_labelled() -> None:
    tallies = (
        Counter("c", "What.", ("model",)),
        Histogram("h", "What.", (1,), ("model",)),
        Reading("r", "What.", dict, ("model",), kind="counter", merge="max"),
    )
    assert [(tally.name, tally.text, tally.labels) for tally in tallies] == [
        (name, "What.", ("model",)) for name in "chr"
    ]
    assert [(tally.kind, tally.merge) for tally in tallies] == [
        ("counter", "sum"),
        ("histogram", "sum"),
        ("counter", "max"),
    ]
