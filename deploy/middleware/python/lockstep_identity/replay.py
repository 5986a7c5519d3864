"""What has been used, for as long as it could be used again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict


class UsedOnce:
    """Of this process: where several serve one host, a statement could be used once at each."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._lapses: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, jti: str, lapses_at: float) -> bool:
        """False for one that was used before, and when there is no room to remember another."""
        now = time.time()
        with self._lock:
            while self._lapses and next(iter(self._lapses.values())) <= now:
                self._lapses.popitem(last=False)
            if jti in self._lapses or len(self._lapses) >= self._most:
                return False
            self._lapses[jti] = lapses_at
            return True
