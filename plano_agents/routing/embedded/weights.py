"""The files of weights that ship: NumPy's ``.npz``, not compressed, so that arrays are the file's own pages.

What is used once, the narrow matrices of the layers, goes when it was widened; of what stays, the table of words, only
the rows that texts use are ever read, and workers share them.
"""

import ctypes
import mmap
import struct
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parent
"""Where they are."""

Array = npt.NDArray[Any]
"""An array of whatever type the file has."""

_LOCAL_HEADER = struct.Struct("<26xHH")
"""The lengths of a name and of what follows it, at the end of a ZIP entry's header (APPNOTE 4.3.7)."""


def load_arrays(path: Path) -> dict[str, Array]:
    """Map arrays by name; nothing in them is executed.

    Args:
        path: A file that `numpy.savez` wrote.

    Raises:
        ValueError: It is compressed, or holds Python objects.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        return {info.filename.removesuffix(".npy"): _map(path, file, info) for info in archive.infolist()}


def release_pages(array: Array) -> None:
    """Count a mapped array's pages no longer as this process's memory; they are mapped again where they are read."""
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)


def release_freed() -> None:
    """Give the system back the memory that was freed and that the C library keeps, such as holes between what stays."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _map(path: Path, file: IO[bytes], info: zipfile.ZipInfo) -> Array:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{str(path)!r}: {info.filename!r} is compressed. Write it with numpy.savez.")
    file.seek(info.header_offset)
    name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    file.seek(name + extra, 1)
    np.lib.format.read_magic(file)
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError(f"{str(path)!r}: {info.filename!r} holds Python objects, which are not read.")
    return np.memmap(path, dtype, "r", file.tell(), shape, "F" if by_columns else "C")
