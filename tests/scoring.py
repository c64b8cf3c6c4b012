"""Endpoints as their callers see them: one request, or requests without end."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Self

import httpx

from modelyard import Client
from modelyard_testing.stacks import eventually

COLUMNS: Final = ("a", "b")
_PACE_S: Final = 0.005


class Endpoint:
    """An address and a key. Safe to share between threads."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self.uri: str = client.endpoints.get(name)["scoring_uri"]
        self.authorized = {"Authorization": f"Bearer {client.endpoints.keys(name)['primaryKey']}"}
        self._http = httpx.Client(trust_env=False, timeout=10)

    def close(self) -> None:
        self._http.close()

    def post(self, content: Any, **headers: str) -> httpx.Response:
        """Any body, with the key."""
        return self._http.post(self.uri, content=content, headers=self.authorized | headers)

    def score(self, *rows: Sequence[object], deployment: str | None = None) -> httpx.Response:
        """Rows of the columns `a` and `b`; `deployment` asks one in particular."""
        body = json.dumps({"input_data": {"columns": COLUMNS, "data": rows}})
        return self.post(body, **({"azureml-model-deployment": deployment} if deployment else {}))

    def answers(self, deployment: str | None = None) -> bool:
        """Whether it scores now."""
        try:
            return self.score((1, 2), deployment=deployment).is_success
        except httpx.HTTPError:
            return False


class Load:
    """While the context is open a thread scores row after row, each answer is checked and counted by its deployment.

    `expected`: what each deployment answers to the row `(1, 2)`.
    """

    def __init__(self, endpoint: Endpoint, **expected: float) -> None:
        self.answered = Counter[str]()
        self.failed: list[str] = []
        self._endpoint = endpoint
        self._expected = expected
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._score_on)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def more(self, requests: int, within_s: float = 30) -> Counter[str]:
        """Wait for so many more answers; who gave them."""
        before, count = Counter(self.answered), self.answered.total()
        eventually(lambda: self.failed or self.answered.total() >= count + requests, within_s)
        return Counter(self.answered) - before

    def _score_on(self) -> None:
        while not self._ended.wait(_PACE_S):
            try:
                answer = self._endpoint.score((1, 2))
            except httpx.HTTPError as error:
                self.failed.append(repr(error))
                continue
            deployment = answer.headers.get("azureml-model-deployment", "")
            if answer.status_code != httpx.codes.OK or answer.json() != [self._expected.get(deployment)]:
                self.failed.append(f"{deployment} answered {answer.status_code} {answer.text}")
            else:
                self.answered[deployment] += 1
