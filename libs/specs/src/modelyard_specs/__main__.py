"""``python -m modelyard_specs``: the keys that are accepted without effect, kind by kind."""

from modelyard_specs.effectless import effectless_keys, read_only_keys
from modelyard_specs.kinds import CLASSES


def main() -> None:
    """Print them."""
    print("every kind:", ", ".join(read_only_keys()))
    for kind in CLASSES:
        print(f"{kind}:", ", ".join(effectless_keys(kind)) or "none")


if __name__ == "__main__":
    main()
