"""What is shown of a failed start."""

from __future__ import annotations

from serving.domain.failures import readable, refusal, refused


def test_a_scripts_own_traceback_is_what_remains() -> None:
    message = (
        "The deployment failed to start 3 times in a row.\n"
        '\x1b[36mray::ServeReplica()\x1b[39m (pid=1, ip=127.0.0.1)\n  File "ray/serve.py", line 1\n'
        "modelyard_runtime.replica.script.ScriptNotStartedError: init() raised\n"
        'Traceback (most recent call last):\n  File "score.py", line 3, in init\nValueError: no weights\n'
    )
    assert readable(message).splitlines() == [
        "init() raised",
        "Traceback (most recent call last):",
        '  File "score.py", line 3, in init',
        "ValueError: no weights",
    ]


def test_any_other_failure_keeps_its_text_without_colours() -> None:
    assert readable("\x1b[31mno such model\x1b[0m\n") == "no such model"


def test_a_refused_model_is_told_from_rays_message() -> None:
    """As Ray passes the exception of a replica's constructor on."""
    why = "default/models/line/versions/3/conversion is refused: model.onnx has been changed; remove it"
    message = (
        "The deployment failed to start 3 times in a row. Error:\n\x1b[36mray::ServeReplica.initialize_and_get_metadata()\x1b[39m\n"
        '  File "app.py", line 43, in __init__\n    self._replica = Replica(spec, this_node())\n'
        f"modelyard_platform.manifests.IntegrityError: {why}\n  more of Ray's"
    )
    assert refused(message) == "default/models/line/versions/3/conversion"
    assert readable(message) == refusal(message) == why
    shared = message.replace("default/models", "registries/company/models")
    assert refused(shared) == "registries/company/models/line/versions/3/conversion"
    assert refusal("ValueError: no such model") is None
    assert refused("ValueError: no such model") is None


def test_a_script_cannot_say_that_a_model_was_refused() -> None:
    raised = "IntegrityError: default/models/other/versions/1 is refused: it was changed"
    script = f"modelyard_runtime.replica.script.ScriptNotStartedError: init() raised\n{raised}\n"
    assert refused(script) is None
    assert readable(script).startswith("init() raised")
    assert refused("IntegrityError: default/models/x is refused: nothing names a version") is None
