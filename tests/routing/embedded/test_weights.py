"""The files of weights: what is mapped is what was written, and nothing else is read."""

from pathlib import Path

import numpy as np
import pytest

from plano_agents.routing.embedded.weights import FOLDER, load_arrays, release_pages


@pytest.mark.parametrize("name", ["encoder.npz", "heads.npz"])
def test_the_files_that_ship_are_mapped_as_numpy_reads_them(name: str) -> None:
    mapped = load_arrays(FOLDER / name)
    with np.load(FOLDER / name, allow_pickle=False) as read:
        assert mapped.keys() == set(read.files)
        assert all(np.array_equal(mapped[each], read[each]) for each in read.files)


def test_an_array_reads_the_same_after_its_pages_were_released(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", words=np.arange(100_000).reshape(1_000, 100))
    words = load_arrays(tmp_path / "some.npz")["words"]
    before = words[[3, 500, 999]]
    release_pages(words)
    release_pages(before)  # a copy has none
    assert np.array_equal(words[[3, 500, 999]], before)


def test_a_turned_array_keeps_its_order(tmp_path: Path) -> None:
    turned = np.arange(6).reshape(2, 3).T
    np.savez(tmp_path / "some.npz", turned=np.asfortranarray(turned))
    assert np.array_equal(load_arrays(tmp_path / "some.npz")["turned"], turned)


def test_a_compressed_file_is_refused_by_name(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "some.npz", words=np.arange(3))
    with pytest.raises(ValueError, match=r"some\.npz.*'words\.npy' is compressed\. Write it with numpy\.savez"):
        load_arrays(tmp_path / "some.npz")


def test_python_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", words=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="holds Python objects"):
        load_arrays(tmp_path / "some.npz")
