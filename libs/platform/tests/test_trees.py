"""Trees and blobs on a real S3 server: what goes in comes out, what is damaged or leads outside is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelyard_platform import trees
from modelyard_platform.errors import InvalidError, NotFoundError
from modelyard_platform.objects import DigestMismatchError, ObjectStore, key_of
from modelyard_platform.settings import StoreSettings
from modelyard_platform.trees import Tree, TreeFile
from modelyard_testing.plugin import Bucket

SHA = "a" * 64


@pytest.fixture
def store(bucket: Bucket) -> ObjectStore:
    return ObjectStore(
        StoreSettings(
            s3_url=bucket.url,
            s3_access_key=bucket.access_key,
            s3_secret_key=SecretStr(bucket.secret_key),
            s3_bucket=bucket.name,
        )
    )


def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"one")
    (root / "sub" / "ü b.bin").write_bytes(b"x" * 3_000_000)
    (root / "empty").write_bytes(b"")
    return root


def test_a_folder_comes_back_as_it_went_in(store: ObjectStore, tmp_path: Path) -> None:
    root = folder(tmp_path)
    tree = trees.upload(store, root)
    back = trees.download(store, trees.load(store, tree.digest), tmp_path / "back")
    assert trees.describe(back) == tree
    assert tree.size == 3_000_003


def test_a_node_keeps_one_complete_copy(store: ObjectStore, tmp_path: Path) -> None:
    tree = trees.upload(store, folder(tmp_path))
    first = trees.materialise(store, tree.digest, tmp_path / "cache")
    assert trees.materialise(store, tree.digest, tmp_path / "cache") == first
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [tree.digest]


def test_a_missing_file_leaves_no_half_copy(store: ObjectStore, tmp_path: Path) -> None:
    tree = Tree(files=(TreeFile(path="gone", sha256=SHA, size=1),))
    digest = store.put_bytes(tree.document())
    with pytest.raises(NotFoundError):
        trees.materialise(store, digest, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_blob_is_refused(store: ObjectStore, bucket: Bucket, tmp_path: Path) -> None:
    digest = store.put_bytes(b"the truth")
    store._client.remove_object(bucket.name, key_of(digest))
    import io

    store._client.put_object(bucket.name, key_of(digest), io.BytesIO(b"the lie!!"), 9)
    with pytest.raises(DigestMismatchError):
        store.get_file(digest, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "a\\b", "a//b", "./a", "", "nul\0"])
def test_a_path_that_leads_outside_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        TreeFile(path=path, sha256=SHA, size=0)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "way-out").symlink_to("/etc/hostname")
    with pytest.raises(InvalidError, match="leads out of"):
        trees.describe(root)


def test_a_path_that_is_file_and_folder_is_refused() -> None:
    with pytest.raises(ValueError, match="both a file and a folder"):
        Tree(files=(TreeFile(path="a", sha256=SHA, size=0), TreeFile(path="a/b", sha256=SHA, size=0)))


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)


@given(
    st.dictionaries(st.lists(NAMES, min_size=1, max_size=1).map("/".join), st.integers(0, 9), min_size=1, max_size=8)
)
def test_a_trees_digest_does_not_depend_on_the_order(files: dict[str, int]) -> None:
    entries = [TreeFile(path=path, sha256=str(digit) * 64, size=digit) for path, digit in files.items()]
    assert Tree(files=tuple(entries)).digest == Tree(files=tuple(reversed(entries))).digest
    assert trees.parse(Tree(files=tuple(entries)).document()).digest == Tree(files=tuple(entries)).digest


def test_below_gives_a_part(tmp_path: Path) -> None:
    tree = trees.describe(folder(tmp_path))
    assert [file.path for file in tree.below("sub").files] == ["ü b.bin"]
    assert [file.path for file in tree.below("a.txt").files] == ["a.txt"]
    with pytest.raises(InvalidError, match="has nothing at"):
        tree.below("nowhere")
