# SPDX-License-Identifier: Apache-2.0
"""What is opened and closed asynchronously."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

__all__ = ["Closing", "Opening"]

C = TypeVar("C", bound="Closing")


class Closing:
    """What ends with ``aclose``."""

    async def aclose(self) -> None:
        """Ends it. Idempotent."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Opening(Generic[C]):
    """Something that is being opened: await it, or use it as an asynchronous context manager."""

    def __init__(self, opened: Callable[[], Awaitable[C]]) -> None:
        self._opened = opened
        self._value: C | None = None

    def __await__(self) -> Generator[Any, None, C]:
        return self._opened().__await__()

    async def __aenter__(self) -> C:
        self._value = await self._opened()
        return self._value

    async def __aexit__(self, *_: object) -> None:
        if self._value is not None:
            await self._value.aclose()
