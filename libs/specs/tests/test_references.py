"""References: what each text is, and round trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_specs import (
    AssetLabel,
    AssetName,
    AssetVersion,
    DatastorePath,
    JobOutput,
    LocalPath,
    Reference,
    RegistryAsset,
    RemoteUrl,
    Templated,
    TreeReference,
    parse_reference,
)

DIGEST = "0f" * 32


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("azureml:flights:3", AssetVersion("flights", "3")),
        ("modelyard:flights:1.0.0", AssetVersion("flights", "1.0.0")),
        ("azureml:flights@latest", AssetLabel("flights", "latest")),
        ("azureml:cpu-cluster", AssetName("cpu-cluster")),
        (
            "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
            RegistryAsset("azureml", "environments", "sklearn-1.5", label="latest"),
        ),
        (
            "azureml://registries/azureml/components/prep/versions/0.0.3",
            RegistryAsset("azureml", "components", "prep", "0.0.3"),
        ),
        ("azureml://datastores/store/paths/a/b.csv", DatastorePath("store", "a/b.csv")),
        (
            "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/store/paths/a/",
            DatastorePath("store", "a/"),
        ),
        ("azureml://jobs/job_1/outputs/artifacts/paths/model/", JobOutput("job_1", "artifacts", "model/")),
        ("azureml://jobs/job_1/outputs/model", JobOutput("job_1", "model")),
        (f"modelyard://trees/{DIGEST}", TreeReference(DIGEST)),
        (f"modelyard://trees/{DIGEST}/a/b", TreeReference(DIGEST, "a/b")),
        ("https://example.com/a.csv", RemoteUrl("https://example.com/a.csv")),
        ("wasbs://c@a.blob.core.windows.net/x", RemoteUrl("wasbs://c@a.blob.core.windows.net/x")),
        ("file:./train.yml", LocalPath("./train.yml")),
        ("file:train.yml", LocalPath("train.yml")),
        ("./src", LocalPath("./src")),
        ("../data/", LocalPath("../data/")),
        ("src", LocalPath("src")),
        ("${{parent.inputs.data}}", Templated("${{parent.inputs.data}}")),
    ],
)
def test_texts(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    ["", " ", "azureml:", "azureml:a:b:c", "azureml:a b:1", "azureml:a@", "azureml://nothing/x", "modelyard://trees/12",
     "ftp2://x", "azureml:-x:1", "file:", "a\0b"],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError):
        parse_reference(text)


_name = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,40}", fullmatch=True)
_path = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0$"), min_size=1, max_size=60)
_references: st.SearchStrategy[Reference] = st.one_of(
    st.builds(AssetVersion, _name, _name),
    st.builds(AssetLabel, _name, _name),
    st.builds(AssetName, _name),
    st.builds(RegistryAsset, _name, st.sampled_from(["environments", "models"]), _name, _name),
    st.builds(RegistryAsset, _name, st.sampled_from(["components", "data"]), _name, label=_name),
    st.builds(DatastorePath, _name, _path),
    st.builds(JobOutput, _name, _name, _path),
    st.builds(TreeReference, st.from_regex(r"[0-9a-f]{64}", fullmatch=True), st.just("") | _path),
    st.builds(LocalPath, _path.filter(lambda text: not text.isspace())),
)


@given(_references)
def test_round_trip(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_a_value_error(text: str) -> None:
    try:
        found = parse_reference(text)
    except ValueError:
        return
    assert parse_reference(str(found)) == found
