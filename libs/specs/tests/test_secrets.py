"""What gives access to something is in no specification that leaves a document."""

from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_specs import load, load_mapping, localise
from modelyard_specs.effectless import effectless_keys
from modelyard_specs.secrets import without_secrets

CORPUS = Path(__file__).parent / "corpus/resources"
BLOB = {"name": "d", "type": "azure_blob", "account_name": "a", "container_name": "c"}


@pytest.mark.parametrize(
    ("path", "key", "secret"),
    [
        ("datastore/blob.yml", "credentials", "XXXxxx"),
        ("datastore/adls-gen2.yml", "credentials", "client_secret"),
        ("connections/git-pat.yml", "credentials", "dummy_pat"),
        ("connections/snowflake.yml", "credentials", "username_password"),
        ("compute/cluster.yml", "ssh_settings", "examplepassword"),
    ],
)
def test_files_of_users_lose_their_secrets(path: str, key: str, secret: str) -> None:
    document = load(CORPUS / path)
    assert secret in (CORPUS / path).read_text()
    for spec in (document.spec(), localise(document, tree=lambda _: "0" * 64)):
        assert secret not in str(spec)
        assert key not in spec
    assert key in document.ignored
    [warning] = [one for one in document.warnings if one.path == key]
    assert warning.line is not None
    assert f"`{key}` is neither sent nor kept: " in warning.message


def test_they_are_among_the_keys_without_effect() -> None:
    assert "credentials" in effectless_keys("datastore")
    assert set(effectless_keys("connection")) >= {"credentials", "api_key"}
    assert "ssh_settings" in effectless_keys("compute")


@pytest.mark.parametrize(
    ("written", "kept", "paths"),
    [
        ({"sas_token": "s", "SasToken": "s", "accountKey": "s", "api-key": "s", "Client Secret": "s"}, {}, 5),
        ({"Authorization_Token": "s", "key": "s", "primary_key": "s", "password_value": "s"}, {}, 4),
        ({"SASToken": "s", "clientsecret": "s", "accesstoken": "s", "dbPassword": "s", "Authorization": "s"}, {}, 5),
        ("Authorization: Bearer abcdef.ghij-k", "Authorization: Bearer ***", 1),
        ("the bearer of this, bearer securities", None, 0),
        ({"keyboard": "k", "tokens_per_day": "1", "monkey": "m", "partition_key_column": "c", "pattern": "p"}, None, 0),
        ({"password": None}, None, 0),
        ([{"a": [{"pat": "s"}]}], [{"a": [{}]}], 1),
        ("https://ada:s@example.com/x?a=1", "https://***@example.com/x?a=1", 1),
        ("https://s@example.com/x", "https://***@example.com/x", 1),
        ("https://u:p@s@example.com", "https://***@example.com", 1),
        (
            "https://a.blob.core.windows.net/c?sv=1&sig=s%3D&se=2",
            "https://a.blob.core.windows.net/c?sv=1&sig=***&se=2",
            1,
        ),
        ("abfss://container@account.dfs.core.windows.net/p", None, 0),
        ("Server=tcp:x;Password=s;Database=d", "Server=tcp:x;Password=***;Database=d", 1),
        ("AccountName=a;AccountKey=s==;EndpointSuffix=e", "AccountName=a;AccountKey=***;EndpointSuffix=e", 1),
        ("jdbc:snowflake://x/?db=d", None, 0),
        ("a sentence about a password and a key = 3 columns", None, 0),
        (3, None, 0),
    ],
)
def test_what_is_called_like_a_secret_goes(written: Any, kept: Any, paths: int) -> None:
    value, found = without_secrets(written)
    assert value == (written if kept is None else kept)
    assert len(found) == paths
    assert without_secrets(value)[0] == value


def test_free_keys_of_resources_are_looked_through() -> None:
    document = load_mapping(
        {**BLOB, "tags": {"team": "a", "password": "s3cret"}, "properties": {"x": {"token": "s3cret"}}}
    )
    assert document.spec() == {**BLOB, "tags": {"team": "a"}, "properties": {"x": {}}}
    assert {one.path for one in document.warnings} == {"tags.password", "properties.x.token"}


def test_other_kinds_keep_what_is_theirs() -> None:
    job = {"type": "command", "command": "ls", "environment": "azureml:e:1", "environment_variables": {"API_KEY": "x"}}
    assert load_mapping(job).spec()["environment_variables"] == {"API_KEY": "x"}


@given(st.text(alphabet="a-_ =:@/;&?https", max_size=200))
def test_any_text_is_read(text: str) -> None:
    value, _ = without_secrets(text)
    assert isinstance(value, str)


def test_long_text_takes_no_long_time() -> None:
    began = perf_counter()
    for text in ("- " * 200_000, "a_" * 200_000, "://a:" * 100_000, "password " * 50_000):
        without_secrets(text)
    assert perf_counter() - began < 5
