"""What events of changes may not say."""

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
