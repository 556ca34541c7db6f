"""The page that Prometheus scrapes, read by its own parser."""

from prometheus_client.parser import text_string_to_metric_families

from plano_agents.observe.exposition import render
from plano_agents.observe.shared_tallies import Snapshot
from plano_agents.observe.tally import Counter, Histogram, Reading, Tally


def read(*tallies: Tally, others: tuple[Snapshot, ...] = ()) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(render(tallies, others).decode())
        for sample in family.samples
    }


def test_a_counter_ends_with_total_and_keeps_awkward_label_values() -> None:
    counter = Counter("plano_things", "Things.", ["kind"])
    counter.add(('a"b\\c\nd',), 3)
    assert read(counter) == {("plano_things_total", 'a"b\\c\nd'): 3}


def test_a_histograms_buckets_are_cumulative() -> None:
    histogram = Histogram("plano_seconds", "How long.", (0.1, 1), ["kind"])
    for value in (0.05, 0.5, 0.7, 5):
        histogram.note(("x",), value)
    assert read(histogram) == {
        ("plano_seconds_bucket", "x", "0.1"): 1,
        ("plano_seconds_bucket", "x", "1.0"): 3,
        ("plano_seconds_bucket", "x", "+Inf"): 4,
        ("plano_seconds_count", "x"): 4,
        ("plano_seconds_sum", "x"): 6.25,
    }


def test_other_processes_numbers_are_added_those_of_labels_unknown_here_too() -> None:
    counter = Counter("plano_things", "Things.", ["kind"])
    counter.add(("x",))
    other = Snapshot(pid=1, series={"plano_things": [(("x",), [2.0]), (("y",), [4.0])]})
    found = read(counter, Reading("plano_now", "Now.", lambda: {(): 1.0}), others=(other,))
    assert found == {("plano_things_total", "x"): 3, ("plano_things_total", "y"): 4, ("plano_now",): 1}
