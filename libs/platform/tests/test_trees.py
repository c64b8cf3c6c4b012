"""Trees and blobs on real S3 servers: what goes in comes out, what is damaged or leads outside is refused."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_platform import trees
from modelyard_platform.errors import InvalidError, NotFoundError
from modelyard_platform.objects import ObjectStore, key_of
from modelyard_platform.trees import PART, Blobs, DigestMismatchError, Tree, TreeFile
from modelyard_testing.plugin import Bucket

SHA = "a" * 64


class Counted(Blobs):
    """A store, and what was asked of it. `breaks_after`: so many blobs go through before it is away."""

    def __init__(self, store: ObjectStore, breaks_after: int = 1 << 30) -> None:
        self._store = store
        self._left = breaks_after
        self.put_digests: list[str] = []
        self.read_digests: list[str] = []

    def missing(self, blobs: Mapping[str, int]) -> Collection[str]:
        return self._store.missing(blobs)

    def put(self, digest: str, data: bytes) -> None:
        self._take()
        self._store.put(digest, data)
        self.put_digests.append(digest)

    def expect(self, digests: Collection[str]) -> None:
        self._store.expect(digests)

    def chunks(self, digest: str) -> Iterator[bytes]:
        self._take()
        yield from self._store.chunks(digest)
        self.read_digests.append(digest)

    def _take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ConnectionError("away")


def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"one")
    (root / "sub" / "ü b.bin").write_bytes(b"x" * 3_000_000)
    (root / "empty").write_bytes(b"")
    return root


def large_file(path: Path, parts: int, more: int = 7) -> Path:
    path.write_bytes(b"".join(bytes([number]) * PART for number in range(parts)) + b"z" * more)
    return path


def test_a_folder_comes_back_as_it_went_in(store: ObjectStore, tmp_path: Path) -> None:
    root = folder(tmp_path)
    tree = trees.upload(store, root)
    back = trees.download(store, trees.load(store, tree.digest), tmp_path / "back")
    assert trees.describe(back) == tree
    assert tree.size == 3_000_003


def test_a_large_file_is_stored_in_parts(store: ObjectStore, tmp_path: Path) -> None:
    file = large_file(tmp_path / "large", 2)
    (entry,) = trees.upload(store, file).files
    assert entry.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [piece.size for piece in entry.pieces()] == [PART, PART, 7]
    assert not store.exists(entry.sha256)
    assert b"".join(trees.chunks(store, entry)) == file.read_bytes()
    assert trees.fetch(store, entry, tmp_path / "one" / "back").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(("size", "parts"), [(0, 0), (PART - 1, 0), (PART, 0), (PART + 1, 2), (2 * PART, 2)])
def test_where_parts_begin(tmp_path: Path, size: int, parts: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    (file,) = trees.describe(tmp_path).files
    assert (len(file.parts), file.size) == (parts, size)
    assert file.sha256 == hashlib.sha256(b"x" * size).hexdigest()


def test_a_small_files_document_has_no_parts() -> None:
    tree = Tree(files=(TreeFile(path="a", sha256=SHA, size=1),))
    assert tree.document() == b'{"files":[{"path":"a","sha256":"' + SHA.encode() + b'","size":1}]}'


@pytest.mark.parametrize("parts", [(SHA,), (SHA, SHA, SHA), (SHA, "A" * 64)])
def test_parts_that_do_not_make_the_file_are_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        TreeFile(path="a", sha256=SHA, size=PART + 1, parts=parts)


def test_an_upload_continues_where_it_broke_off(store: ObjectStore, tmp_path: Path) -> None:
    large_file(tmp_path / "large", 6)
    first = Counted(store, breaks_after=2)
    with pytest.raises(ConnectionError):
        trees.upload(first, tmp_path)
    assert len(first.put_digests) == 2
    second = Counted(store)
    tree = trees.upload(second, tmp_path)
    assert not set(first.put_digests) & set(second.put_digests)
    assert len(second.put_digests) == 7 - 2 + 1  # and the tree's document
    third = Counted(store)
    assert trees.upload(third, tmp_path) == tree
    assert third.put_digests == []


def test_equal_bytes_are_sent_once(store: ObjectStore, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"y" * 3 * PART)
    (tmp_path / "c").write_bytes(b"y" * PART)
    counted = Counted(store)
    trees.upload(counted, tmp_path)
    assert len(counted.put_digests) == 2


def test_a_download_continues_where_it_broke_off(store: ObjectStore, tmp_path: Path) -> None:
    tree = trees.upload(store, large_file(tmp_path / "large", 4))
    first = Counted(store, breaks_after=2)
    with pytest.raises(ConnectionError):
        trees.download(first, tree, tmp_path / "back")
    assert not (tmp_path / "back" / "large").exists()
    second = Counted(store)
    trees.download(second, tree, tmp_path / "back")
    assert sorted(first.read_digests + second.read_digests) == sorted(tree.files[0].parts)
    assert trees.describe(tmp_path / "back") == tree
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["large"]
    third = Counted(store)
    trees.download(third, tree, tmp_path / "back")
    assert third.read_digests == []


def test_memory_stays_small_whatever_the_size(store: ObjectStore, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        for number in range(14):
            file.write(os.urandom(16) * (PART // 16 - 1) + bytes([number]) * 16)
    tracemalloc.start()
    try:
        trees.upload(store, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 9 * PART
    finally:
        tracemalloc.stop()


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


def test_a_damaged_blob_is_refused(store: ObjectStore, every_bucket: Bucket, tmp_path: Path) -> None:
    digest = store.put_bytes(b"the truth")
    store._client.remove_object(every_bucket.name, key_of(digest))
    store._client.put_object(every_bucket.name, key_of(digest), io.BytesIO(b"the lie!!"), 9)
    with pytest.raises(DigestMismatchError):
        trees.fetch(store, TreeFile(path="file", sha256=digest, size=9), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [8, 10])
def test_a_tree_that_lies_about_a_size_is_refused(store: ObjectStore, tmp_path: Path, size: int) -> None:
    digest = store.put_bytes(b"the truth")
    with pytest.raises(DigestMismatchError, match="than the"):
        trees.fetch(store, TreeFile(path="file", sha256=digest, size=size), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_parts_that_are_another_file_are_refused(store: ObjectStore, tmp_path: Path) -> None:
    (file,) = trees.upload(store, large_file(tmp_path / "large", 2)).files
    lie = file.model_copy(update={"sha256": SHA})
    with pytest.raises(DigestMismatchError, match="not what its tree says"):
        trees.download(store, Tree(files=(lie,)), tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []
    with pytest.raises(DigestMismatchError):
        list(trees.chunks(store, lie))


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "a\\b", "a//b", "./a", "", "nul\0", "x" * 1025])
def test_a_path_that_leads_outside_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        TreeFile(path=path, sha256=SHA, size=0)


@pytest.mark.parametrize("target", ["/etc/hostname", "/etc", "../outside"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "outside").mkdir()
    root = folder(tmp_path)
    (root / "way-out").symlink_to(target)
    with pytest.raises(InvalidError, match="leads out of"):
        trees.describe(root)


def test_links_inside_stand_for_what_they_lead_to(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "latest").symlink_to("sub")
    (root / "b.txt").symlink_to("a.txt")
    found = {file.path: file.sha256 for file in trees.describe(root).files}
    assert found["latest/ü b.bin"] == found["sub/ü b.bin"]
    assert found["b.txt"] == found["a.txt"]


@pytest.mark.parametrize(("target", "message"), [(".", "lies in"), ("nowhere", "link to nothing")])
def test_links_that_lead_nowhere_are_refused(tmp_path: Path, target: str, message: str) -> None:
    root = folder(tmp_path)
    (root / "sub" / "link").symlink_to(target)
    with pytest.raises(InvalidError, match=message):
        trees.describe(root)


def test_a_link_planted_in_the_target_is_not_followed(store: ObjectStore, tmp_path: Path) -> None:
    tree = trees.upload(store, folder(tmp_path))
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "sub").symlink_to(outside)
    with pytest.raises(InvalidError, match="leads out"):
        trees.download(store, tree, target)
    (target / "sub").unlink()
    (target / "a.txt").symlink_to(outside / "a.txt")
    trees.download(store, tree, target)
    assert not (target / "a.txt").is_symlink()
    assert list(outside.iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    pieces = trees.Snapshot(large_file(tmp_path / "large", 2)).pieces()
    next(pieces)
    with (tmp_path / "large").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InvalidError, match="changed while it was read"):
        list(pieces)


def test_a_file_that_grows_for_ever_is_refused(tmp_path: Path) -> None:
    log = large_file(tmp_path / "log", 1)

    def read() -> None:
        for _ in trees.Snapshot(log).pieces():
            with log.open("ab") as file:
                file.write(b"one more line")

    with pytest.raises(InvalidError, match="changed while it was read"):
        read()


def test_names(store: ObjectStore, tmp_path: Path) -> None:
    long = "/".join(["n" * 249] * 4)
    names = ["Ünï 日本語 🚀", " spaces ", "a'b\"c", "-flag", "new\nline", "%2e%2e", long]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    tree = trees.upload(store, tmp_path / "in")
    trees.download(store, trees.load(store, tree.digest), tmp_path / "back")
    assert all((tmp_path / "back" / name).read_text() == name for name in names)


@pytest.mark.parametrize("name", [b"back\\slash", b"not-utf8-\xff", b"/".join([b"n" * 249] * 5)])
def test_names_that_cannot_be_in_a_tree_are_refused(tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/in/" + name))
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with pytest.raises(InvalidError, match="cannot be stored"):
        trees.describe(tmp_path / "in")


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
