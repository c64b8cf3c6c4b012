"""The order of versions."""

from hypothesis import given
from hypothesis import strategies as st

from modelyard_specs import version_key

_numbers = st.lists(st.integers(0, 10**12), min_size=1, max_size=4)
_versions = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,20}", fullmatch=True)


def test_as_a_person_would_order_them() -> None:
    ordered = [
        "1.0.0-alpha",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0rc1",
        "1.0.0",
        "1.0.1",
        "1.2",
        "1.10",
        "2",
        "9",
        "10",
        "2024-01-02",
        "2024-01-10",
    ]
    assert sorted(set(ordered), key=version_key) == ordered


@given(_numbers, _numbers)
def test_dotted_numbers_go_by_their_numbers(one: list[int], other: list[int]) -> None:
    def text(numbers: list[int]) -> str:
        return ".".join(map(str, numbers))

    assert (version_key(text(one)) < version_key(text(other))) == (one < other)


@given(st.lists(_versions, max_size=8).flatmap(lambda vs: st.tuples(st.just(vs), st.permutations(vs))))
def test_the_order_is_total(versions: tuple[list[str], list[str]]) -> None:
    given, shuffled = versions
    assert sorted(given, key=version_key) == sorted(shuffled, key=version_key)


@given(_versions, _versions)
def test_only_the_same_text_is_the_same_version(one: str, other: str) -> None:
    assert (version_key(one) == version_key(other)) == (one == other)


@given(_numbers, st.sampled_from(["rc1", "-beta", "a0", "-SNAPSHOT"]))
def test_a_pre_release_goes_before_its_release(numbers: list[int], suffix: str) -> None:
    release = ".".join(map(str, numbers))
    assert version_key(release + suffix) < version_key(release) < version_key(f"{release}.0")


def test_digits_beyond_what_python_converts() -> None:
    assert version_key("9" * 5000) < version_key("1" + "0" * 5000)
    assert version_key("4000") < version_key("9" * 5000)
