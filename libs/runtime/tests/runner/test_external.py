"""A step whose input stays outside."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard_contracts.work import External, StepInput, StepOutput, StepResult
from modelyard_platform.external import ExternalStore
from modelyard_platform.settings import NodeSettings
from modelyard_testing.web import Page, WebServer, serving


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def node(node: NodeSettings, monkeypatch: pytest.MonkeyPatch) -> NodeSettings:
    monkeypatch.setenv("MODELYARD_NODE_EXTERNAL_HOSTS", "127.0.0.1")
    return NodeSettings()


def test_it_is_downloaded_and_must_be_what_was_recorded(
    run: Callable[..., StepResult],
    node: NodeSettings,
    web: WebServer,
    files_of: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> None:
    web.pages["/rows.csv"] = Page(b"x\n1\n", etag='"v1"')
    recorded = ExternalStore(node).look(web.url("/rows.csv"))
    inputs = {
        "rows": StepInput(type="uri_file", external=recorded),
        "folder": StepInput(type="uri_folder", external=recorded),
    }
    command = "cat ${{inputs.rows}} ${{inputs.folder}}/rows.csv > ${{outputs.o}}/f"
    result = run(command, inputs=inputs, outputs={"o": StepOutput()})
    assert result.status == "completed", result
    assert files_of(result.outputs["o"]) == {"f": "x\n1\nx\n1\n"}

    web.pages["/rows.csv"] = Page(b"x\n2\n", etag='"v2"')
    changed = run(command, inputs=inputs, outputs={"o": StepOutput()}, attempt=2)
    assert changed.status == "failed"
    assert changed.exit_code is None
    assert 'recorded was ETag "v1", 4 bytes' in (changed.reason or "")
    assert 'now there is ETag "v2"' in (changed.reason or "")
    assert "has changed since it was registered" in changed.log_tail


def test_the_node_reads_what_it_may(run: Callable[..., StepResult], node: NodeSettings) -> None:
    content = External(url="file:///etc/passwd", sha256="0" * 64)
    result = run("true", inputs={"secret": StepInput(type="uri_file", external=content)})
    assert result.status == "failed"
    assert "EXTERNAL_FOLDERS" in (result.reason or "")
