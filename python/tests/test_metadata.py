"""Metadata: a mutable mapping whose changes are records."""

from __future__ import annotations

from collections.abc import MutableMapping

import numpy as np
import pytest
from conftest import Refused

import mmsb


def test_it_is_a_mutable_mapping(state: mmsb.State, page: mmsb.Page) -> None:
    metadata = page.metadata
    assert isinstance(metadata, MutableMapping)
    metadata["b"] = b"2"
    metadata["a"] = bytearray(b"1")
    metadata["ü"] = np.arange(3, dtype=np.uint8)
    assert metadata["b"] == b"2"
    assert metadata[b"b"] == b"2"
    assert list(metadata) == ["a", "b", "ü"]
    assert list(metadata.items()) == [("a", b"1"), ("b", b"2"), ("ü", b"\0\1\2")]
    assert list(metadata.keys()) == ["a", "b", "ü"]
    assert list(metadata.values()) == [b"1", b"2", b"\0\1\2"]
    assert len(metadata) == 3
    assert "a" in metadata
    assert "z" not in metadata
    assert 7 not in metadata  # type: ignore[comparison-overlap]
    assert metadata.get("z") is None
    assert metadata.pop("b") == b"2"
    assert metadata.setdefault("a", b"9") == b"1"
    assert metadata == {"a": b"1", "ü": b"\0\1\2"}
    del metadata["a"]
    assert repr(metadata) == "<mmsb.Metadata {'ü': b'\\x00\\x01\\x02'}>"
    metadata.clear()
    assert not metadata
    assert page.epoch == 1, "metadata is no content"


def test_update_and_clear_are_one_record_each(state: mmsb.State, page: mmsb.Page) -> None:
    before = state.stats()["records"]
    page.metadata.update({"a": b"1", "b": b"2"}, c=b"3")
    assert state.stats()["records"] == before + 1
    page.metadata.clear()
    assert state.stats()["records"] == before + 2
    changes = page.history()[-3:]
    assert {change.kind for change in changes} == {"meta"}
    assert [(change.key, change.value) for change in changes] == [
        (b"a", None), (b"b", None), (b"c", None),
    ]  # fmt: skip


def test_with_a_note(page: mmsb.Page) -> None:
    lsn = page.set_meta("k", b"v", source="s", intent="i")
    assert lsn == page.lsn
    assert page.set_meta(b"k", b"v") is None
    change = page.history()[-1]
    assert (change.kind, change.key, change.value) == ("meta", b"k", b"v")
    assert (change.source, change.intent, change.delta) == ("s", "i", None)
    assert page.remove_meta("k") == page.lsn
    assert page.list_meta() == []


def test_keys_that_are_no_utf8_round_trip(page: mmsb.Page) -> None:
    page.set_meta(b"\xff\xfe", b"v")
    (key,) = page.metadata
    assert page.metadata[key] == b"v"
    del page.metadata[key]
    assert page.list_meta() == []


def test_bad_metadata_leaves_no_trace(state: mmsb.State, page: mmsb.Page) -> None:
    page.metadata["k"] = b"v"
    with Refused(state, mmsb.KeyNotFound, "none"):
        page.metadata["none"]
    with pytest.raises(KeyError):
        del page.metadata["none"]
    with Refused(state, mmsb.TooLong, 256, 255):
        page.metadata["k" * 256] = b"v"
    with Refused(state, mmsb.TooLong, 65_536, 65_535):
        page.metadata["k"] = bytes(65_536)
    for i in range(15):
        page.metadata[f"{i:02}"] = bytes(65_535)
    with Refused(state, mmsb.TooLarge, 1 << 20):
        page.metadata.update({f"{i}": bytes(65_535) for i in range(20, 23)})
    with pytest.raises(TypeError, match="str or bytes, not int"):
        page.metadata[3] = b"v"  # type: ignore[index]
    with pytest.raises(TypeError, match="buffer protocol, not str"):
        page.metadata["k"] = "text"  # type: ignore[assignment]
