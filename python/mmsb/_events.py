"""Subscriptions for ``async for``."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from typing import TYPE_CHECKING

from mmsb._mmsb import Closed

if TYPE_CHECKING:
    from mmsb._mmsb import Event, Subscription

_LOOK_EVERY = 0.05
"""Seconds after which a thread that waits sees that nobody wants it to any more."""

_TURN = 256
"""Events after which other tasks get their turn, however many wait."""


def _told(coming: asyncio.Future[None]) -> None:
    if not coming.done():
        coming.set_result(None)


def _watch(
    subscription: weakref.ref[Subscription],
    loop: asyncio.AbstractEventLoop,
    coming: asyncio.Future[None],
) -> None:
    """Wait in a thread of its own: those of the loop's executor are few, and others want them."""
    while not loop.is_closed():
        waiting = subscription()
        try:
            if waiting is None or waiting.wait(_LOOK_EVERY):
                break
        except Closed:
            break
        # Nothing here keeps a subscription that everybody else forgot.
        del waiting
    with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile.
        loop.call_soon_threadsafe(_told, coming)


class AsyncEvents:
    """The events of a subscription, for ``async for``; each is taken when it is asked for."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._coming: asyncio.Future[None] | None = None
        self._taken = 0

    def __aiter__(self) -> AsyncEvents:
        return self

    async def __anext__(self) -> Event:
        self._taken += 1
        if self._taken % _TURN == 0:
            await asyncio.sleep(0)
        try:
            while not (events := self._subscription.poll(1)):
                await self._arrival()
        except Closed:
            raise StopAsyncIteration from None
        return events[0]

    async def _arrival(self) -> None:
        loop = asyncio.get_running_loop()
        coming = self._coming
        if coming is None or coming.done() or coming.get_loop() is not loop:
            coming = self._coming = loop.create_future()
            watched = weakref.ref(self._subscription)
            thread = threading.Thread(
                target=_watch, args=(watched, loop, coming), name="mmsb-events", daemon=True
            )
            thread.start()
        # A task that is cancelled leaves the thread to the next one that asks.
        await asyncio.shield(coming)
