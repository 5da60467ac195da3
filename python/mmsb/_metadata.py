"""The metadata of a page as a mapping."""

from __future__ import annotations

from collections.abc import (
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    ValuesView,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmsb._mmsb import Page, _Bytes


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


def _key(key: object) -> str | bytes:
    """Turn a key that iteration gave back into what it was, if it was no UTF-8."""
    if isinstance(key, str):
        return key.encode("utf-8", "surrogateescape")
    return key  # type: ignore[return-value]


class Metadata(MutableMapping[str, bytes]):
    """The metadata of a page: a mutable mapping of str to bytes, ascending by key.

    Always shows the page as it is now. Each change is a record of its own; ``update`` and
    ``clear`` are one record for all keys. ``Page.set_meta`` and ``Page.remove_meta`` take a source
    and an intent, too.

    - keys: str, or bytes; 1 to 255 bytes of UTF-8.
    - values: any C-contiguous buffer up to 65,535 bytes; read back as bytes.

    Raises ``KeyNotFound``, which is a ``KeyError``, and what pages raise. Cost: O(keys) to
    iterate, else O(log keys) and the value.

    >>> import mmsb
    >>> with mmsb.State() as state:
    ...     metadata = state.create_page(4).metadata
    ...     metadata.update(unit=b"K", name=b"temperature")
    ...     sorted(metadata), metadata.pop("unit"), "unit" in metadata
    (['name', 'unit'], b'K', False)
    """

    __slots__ = ("_page",)

    def __init__(self, page: Page) -> None:
        self._page = page

    def __getitem__(self, key: str | bytes) -> bytes:
        return self._page.get_meta(_key(key))

    def __setitem__(self, key: str | bytes, value: _Bytes) -> None:
        self._page.set_meta(_key(key), value)

    def __delitem__(self, key: str | bytes) -> None:
        self._page.remove_meta(_key(key))

    def __iter__(self) -> Iterator[str]:
        return iter([_text(key) for key, _ in self._page.list_meta()])

    def __len__(self) -> int:
        return len(self._page.list_meta())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, bytes)) and super().__contains__(key)

    def keys(self) -> KeysView[str]:
        """Return the keys, as they are now."""
        return self.snapshot().keys()

    def values(self) -> ValuesView[bytes]:
        """Return the values, as they are now."""
        return self.snapshot().values()

    def items(self) -> ItemsView[str, bytes]:
        """Return pairs of key and value, as they are now."""
        return self.snapshot().items()

    def snapshot(self) -> dict[str, bytes]:
        """Return all of it as a dict, read at once."""
        return {_text(key): value for key, value in self._page.list_meta()}

    def update(  # type: ignore[override]
        self,
        pairs: Mapping[str, _Bytes] | Iterable[tuple[str, _Bytes]] = (),
        /,
        **more: _Bytes,
    ) -> None:
        """Set many keys in one record, as ``dict.update``."""
        pairs = dict(pairs, **more)
        with self._page.state.batch() as batch:
            for key, value in pairs.items():
                batch.set_meta(self._page, _key(key), value)

    def clear(self) -> None:
        """Take all keys away in one record."""
        with self._page.state.batch() as batch:
            for key, _ in self._page.list_meta():
                batch.remove_meta(self._page, key)

    def __repr__(self) -> str:
        return f"<mmsb.Metadata {self.snapshot()!r}>"
