"""`python -m modelyard_runtime.runner`"""

from modelyard_platform import telemetry
from modelyard_platform.service import serve
from modelyard_runtime.runner.app import create
from modelyard_runtime.runner.settings import RunnerSettings


def main() -> None:
    """Serve until SIGTERM or SIGINT; steps under way go back to the queue."""
    settings = RunnerSettings()  # type: ignore[call-arg]  # what is required comes from the environment
    telemetry.configure("runner", level=settings.log_level, otlp_endpoint=settings.otlp_endpoint)
    serve(create(settings), settings)


if __name__ == "__main__":
    main()
