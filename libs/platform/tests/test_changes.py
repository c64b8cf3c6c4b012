"""What events of changes may not say."""

import pytest

from modelyard_platform.changes import masked


def test_values_of_variables_are_masked_at_any_depth() -> None:
    spec = {
        "environment_variables": {"KEY": "hidden"},
        "jobs": {"a": {"environment_variables": {"B": 1}, "inputs": [{"credentials": {"token": "hidden"}}]}},
        "tags": {"x": "y"},
    }
    shown = masked(spec)
    assert "hidden" not in str(shown)
    assert shown["environment_variables"] == {"KEY": "***"}
    assert shown["tags"] == {"x": "y"}
    assert spec["environment_variables"] == {"KEY": "hidden"}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://a.blob.core.windows.net/c/x.csv?sig=hidden&se=1", "https://a.blob.core.windows.net/c/x.csv?***"),
        ("https://ada:hidden@example.com/team/code.git", "https://***@example.com/team/code.git"),
        ("wasbs://container@account.blob.core.windows.net/x", "wasbs://container@account.blob.core.windows.net/x"),
        ("azureml:flights:3", "azureml:flights:3"),
        ("is it https://example.com/a?b", "is it https://example.com/a?b"),
    ],
)
def test_what_an_address_gives_access_by_is_masked(written: str, kept: str) -> None:
    assert masked({"inputs": {"d": {"path": written}}, "all": [written]}) == {
        "inputs": {"d": {"path": kept}},
        "all": [kept],
    }
