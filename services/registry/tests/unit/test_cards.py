"""Whatever people and jobs have written, a card's tables stay tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.domain.cards import markdown

WRITTEN = st.text(
    st.one_of(st.sampled_from("|\\`<>*_[]()#\n\r\t\u2028\x85-"), st.characters(exclude_categories=["Cs"])), max_size=20
)
CELL = re.compile(r"(?<!\\)(?:\\\\)*\|")
AT = datetime(2026, 5, 1, tzinfo=UTC)


@st.composite
def cards(draw: st.DrawFn) -> dict[str, Any]:
    """A card as the use case makes it, with text of others in every place that has some."""

    def text() -> str:
        return draw(WRITTEN)

    feature = {"name": text(), "mean_abs": 1.5, "mean": -1.5}
    metric = {text(): 0.5}
    column = {"type": text(), "missing": 1, "top": [{"value": text(), "count": 1}]}
    return {
        "name": "delay", "version": "1", "description": "", "type": text(), "stage": text(), "aliases": ["champion"],
        "tags": {text(): text()}, "tree": "a" * 64, "size": 2048, "created_by": text(), "created_at": AT, "reason": text(),
        "flavours": [text()], "signature": {"inputs": [{"name": text(), "type": text()}]}, "metrics": metric,
        "evaluations": [
            {"candidate": "1", "champion": "2", "status": "approved", "criterion": "a > b", "decided_by": text(), "detail": text(),
             "evidence": {"candidate": metric, "champion": metric}}
        ],
        "training": {
            "job": "j", "experiment": text(), "code": text(), "commit": text(), "repository": text(), "branch": text(), "dirty": True,
            "lock": "l", "environments": [text()],
            "data": [{"name": "d", "version": "1", "profile": {"rows": 3, "columns": {text(): column}}}],
            "run": {"id": "r", "name": text(), "status": "finished", "params": {text(): text()}, "metrics": metric | {text(): "NaN"}},
        },
        "conversion": {"status": "failed", "detail": text()},
        "explanation": {"job": "e", "tree": "t", "created_at": AT, "rows": 3, "detail": text(),
                        "outputs": [{"name": text(), "base_value": 0.5, "features": [feature, feature]}]},
        "deployments": [{"endpoint": "e", "deployment": "blue", "state": text(), "traffic": 10, "drift": text(), "since": AT}],
        "sections": {},
    }  # fmt: skip


@given(cards())
def test_text_of_others_breaks_no_table_and_adds_no_heading(card: dict[str, Any]) -> None:
    page = markdown(card)
    assert page == markdown(card)
    for block in page.split("\n\n"):
        lines = block.split("\n")
        if lines[0].startswith("| "):
            assert len({len(CELL.findall(line)) for line in lines}) == 1, block
            assert all(line.startswith("| ") and line.endswith(" |") for line in lines), block
        else:
            assert "<" not in block.replace("&lt;", ""), block
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Intended use", "## Out of scope", "## Evaluation", "## Training", "## Inputs and outputs", "## Conversion to ONNX",
        "## Explanation", "## Deployments", "## Limitations", "## Ethical considerations", "## Caveats and recommendations", "## Contact",
    ]  # fmt: skip
