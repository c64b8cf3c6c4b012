"""Documents made to do harm, or made by accident: refused soon, in little memory, with a reason."""

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_specs import SpecError, load, load_mapping, localise, parse_reference, survey
from modelyard_specs.expressions import find_expressions, optional_expressions
from modelyard_specs.parsing import MAX_FILES

STEP = "command: ls\nenvironment: azureml:e:1\n"


def _refusal(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load(path)
    return str(caught.value)


def test_fifty_megabytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.yml"
    with path.open("wb") as file:
        for _ in range(50):
            file.write(b"- aaaaaaaaaaaaa\n" * 65_536)
    tracemalloc.start()
    started = time.monotonic()
    message = _refusal(path)
    took, (_, peak) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "the document has 52,428,800 bytes; expected at most 4,194,304 bytes" in message
    assert took < 1
    assert peak < 1_000_000


def test_an_alias_bomb_in_a_component_file_is_told_of_that_file(tmp_path: Path) -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    (tmp_path / "bomb.yml").write_text("\n".join(levels))
    (tmp_path / "pipeline.yml").write_text("type: pipeline\njobs:\n  a: {component: bomb.yml}\n")
    assert "bomb.yml:6:10: the document is too large once its aliases are expanded" in _refusal(
        tmp_path / "pipeline.yml"
    )
    assert survey(tmp_path / "pipeline.yml").status == "error"


def test_files_that_name_one_another(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.yml").write_text(
            f"type: pipeline\njobs:\n  x: {{type: pipeline, component: {other}.yml}}\n"
        )
    assert "c.yml:3:34: jobs.x.component: the files name one another: a.yml → b.yml → c.yml → a.yml" in _refusal(
        tmp_path / "a.yml"
    )


def test_a_file_that_names_itself_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("type: pipeline\njobs:\n  x: {type: pipeline, component: b.yml}\n")
    (tmp_path / "b.yml").symlink_to("a.yml")
    assert "the files name one another: a.yml → a.yml" in _refusal(tmp_path / "a.yml")


def test_files_that_multiply(tmp_path: Path) -> None:
    """Each names the next twice: fifteen files that come to 32,767."""
    depth = 15
    for level in range(depth):
        text = "type: pipeline\njobs:\n" + "".join(
            f"  {name}: {{type: pipeline, component: {level + 1}.yml}}\n" for name in "ab"
        )
        (tmp_path / f"{level}.yml").write_text(text if level < depth - 1 else STEP)
    started = time.monotonic()
    assert f"at most {MAX_FILES:,}" in _refusal(tmp_path / "0.yml")
    assert time.monotonic() - started < 5


def test_a_file_that_is_named_often_is_read_once_and_told_once(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("comand: ls\n")
    steps = "".join(f"  s{n}: {{component: c.yml}}\n" for n in range(50))
    (tmp_path / "p.yml").write_text(f"type: pipeline\njobs:\n{steps}")
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "p.yml")
    assert len([p for p in caught.value.problems if p.suggestion == "command"]) == 1


def test_files_within_files_within_files(tmp_path: Path) -> None:
    for level in range(40):
        text = f"type: pipeline\njobs:\n  a: {{type: pipeline, component: {level + 1}.yml}}\n"
        (tmp_path / f"{level}.yml").write_text(text)
    (tmp_path / "40.yml").write_text(STEP)
    assert "files name files more than 16 levels deep" in _refusal(tmp_path / "0.yml")


def test_a_chain_of_thousands_of_steps() -> None:
    def step(needed: int | None) -> dict[str, object]:
        bound = {} if needed is None else {"x": f"${{{{parent.jobs.s{needed}.outputs.o}}}}"}
        return {"command": "ls", "environment": "azureml:e:1", "inputs": bound, "outputs": {"o": None}}

    jobs = {f"s{n}": step(n - 1 if n else None) for n in range(3000)}
    assert load_mapping({"type": "pipeline", "jobs": jobs}).kind == "pipeline_job"
    jobs["s0"] = step(2999)
    with pytest.raises(SpecError, match="the steps wait for one another: s0 → s2999"):
        load_mapping({"type": "pipeline", "jobs": jobs})


NAMES = ["x" * 1000, "a/b", "../a", "flüge", "a b", "", "-a", "a\u202eb", "a\nb"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_nothing_could_say(name: str) -> None:
    for spec in (
        {"type": "uri_file", "name": name, "path": "https://example.com/a"},
        {"name": name, "auth_mode": "key"},
        {"type": "pipeline", "jobs": {name: {"command": "ls", "environment": "azureml:e:1"}}},
    ):
        with pytest.raises(SpecError, match="is not valid; expected text like") as caught:
            load_mapping(spec)
        assert len(str(caught.value)) < 3000


def test_text_in_any_script_where_text_is_free() -> None:
    spec = {
        "command": "echo 'żółw 亀 🐢'",
        "environment": "azureml:e:1",
        "description": "żółw 亀 🐢",
        "tags": {"亀": "🐢"},
    }
    assert load_mapping(spec).spec() == spec


@given(st.text(max_size=200) | st.from_regex(r"(azureml|modelyard|https|file):.{0,40}", fullmatch=True))
def test_any_text_is_a_reference_or_a_value_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ValueError:
        return
    assert parse_reference(str(reference)) == reference


@given(st.text("${}[] abinputs.jopre_-", max_size=80))
def test_any_text_has_expressions_or_a_value_error(text: str) -> None:
    try:
        found = find_expressions(text)
        optional = optional_expressions(text)
    except ValueError:
        return
    assert set(optional) <= set(found)


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_a_survey_never_raises(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    assert survey(path).status in {"ok", "unsupported", "template", "empty", "other", "error"}


def test_text_for_an_input_of_files_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text(
        "command: ls ${{inputs.d}} ${{inputs.t}}\nenvironment: azureml:e:1\n"
        "inputs: {d: {type: uri_folder}, t: {type: string}}\n"
    )
    (tmp_path / "rows").mkdir()
    for text, path in (
        ("./rows", f"modelyard://trees/{'0' * 64}"),
        ("azureml:flights@latest", "azureml:flights@latest"),
        ("https://example.com/a", "https://example.com/a"),
    ):
        (tmp_path / "p.yml").write_text(
            f"type: pipeline\njobs:\n  a: {{component: c.yml, inputs: {{d: '{text}', t: ./rows}}}}\n"
        )
        spec = localise(load(tmp_path / "p.yml"), tree=lambda _path: "0" * 64)
        assert spec["jobs"]["a"]["inputs"] == {"d": {"type": "uri_folder", "path": path}, "t": "./rows"}
