"""Signed manifests, held against the official tool and against every kind of damage."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard_platform import manifests, trees
from modelyard_platform.errors import UnavailableError
from modelyard_platform.manifests import IntegrityError, Signed, Signer, Verifier
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import StoreSettings
from modelyard_platform.trees import Tree
from modelyard_testing.plugin import Bucket

SUBJECT = "default/models/flight-delay/versions/3"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(manifests.new_private_key())


@pytest.fixture(scope="module")
def verifier(signer: Signer) -> Verifier:
    return Verifier(signer.public_key)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Files whose order differs between texts and paths, and those that the official tool passes over."""
    folder = tmp_path / "model"
    for name in ("MLmodel", "a/x.bin", "a-b/x.bin", "a/y/z.bin", ".gitattributes", ".git/config", "sub/.gitignore"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")
    return folder


def official(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model_signing", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_official_tool_accepts_our_signature(signer: Signer, model: Path, tmp_path: Path) -> None:
    signature, key = tmp_path / "model.sig", tmp_path / "key.pub"
    signature.write_bytes(signer.sign(SUBJECT, trees.describe(model)))
    key.write_text(signer.public_key)
    verify = ("verify", "key", "--signature", signature, "--public_key", key)
    assert (done := official(*verify, model)).returncode == 0, done.stderr + done.stdout
    assert (done := official(*verify, "--no-ignore-git-paths", model)).returncode == 0, done.stderr + done.stdout

    (model / "a" / "x.bin").write_text("content of a/x.biN\n")
    done = official(*verify, model)
    assert done.returncode != 0
    assert "a/x.bin" in done.stderr + done.stdout


def test_we_read_what_the_official_tool_signs(model: Path, tmp_path: Path) -> None:
    """Its signatures are of the same form, but name no version and no tree: their statement differs in that alone."""
    private, signature = tmp_path / "key", tmp_path / "model.sig"
    private.write_bytes(manifests.new_private_key())
    done = official("sign", "key", "--signature", signature, "--private_key", private, model)
    assert done.returncode == 0, done.stderr + done.stdout
    theirs = json.loads(base64.b64decode(json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]))
    ours = manifests.statement(model.name, trees.describe(model))
    del ours["predicate"]["tree"]
    theirs["predicate"]["serialization"]["ignore_paths"] = sorted(
        path for path in theirs["predicate"]["serialization"]["ignore_paths"] if path.startswith(".git")
    )
    assert theirs == ours
    verifier = Verifier(Signer.read(private).public_key)
    with pytest.raises(IntegrityError, match="its manifest is that of model"):
        verifier.verify(signature.read_bytes(), SUBJECT, trees.describe(model))


def test_every_flipped_byte_of_a_manifest_is_refused(signer: Signer, verifier: Verifier, model: Path) -> None:
    tree = trees.describe(model)
    manifest = signer.sign(SUBJECT, tree)
    verifier.verify(manifest, SUBJECT, tree)
    bundle = json.loads(manifest)
    accepted = 0
    for at in range(len(manifest)):
        flipped = bytearray(manifest)
        flipped[at] ^= 1
        try:
            verifier.verify(bytes(flipped), SUBJECT, tree)
        except IntegrityError as error:
            assert error.members == {"refused": SUBJECT}  # noqa: PT017
        else:  # nothing that says anything about the files: an empty list of log entries, an unused key id
            accepted += 1
            again = json.loads(flipped)
            assert again["dsseEnvelope"]["payload"] == bundle["dsseEnvelope"]["payload"]
            assert again["dsseEnvelope"]["signatures"][0]["sig"] == bundle["dsseEnvelope"]["signatures"][0]["sig"]
    assert accepted < 20


def test_a_manifest_is_that_of_one_version_and_these_files(signer: Signer, verifier: Verifier, model: Path) -> None:
    tree = trees.describe(model)
    manifest = signer.sign(SUBJECT, tree)
    with pytest.raises(IntegrityError, match="its manifest is that of default/models/flight-delay/versions/3"):
        verifier.verify(manifest, "models/flight-delay/versions/4", tree)
    with pytest.raises(IntegrityError, match="its manifest is that of default/models/flight-delay/versions/3"):
        verifier.verify(manifest, SUBJECT.replace("default", "lab"), tree)
    other = Tree(files=tree.files[1:])
    with pytest.raises(IntegrityError, match=r"is not the file that was signed|tree is not the one"):
        verifier.verify(manifest, SUBJECT, other)
    with pytest.raises(IntegrityError, match="is trusted"):
        Verifier(Signer(manifests.new_private_key()).public_key).verify(manifest, SUBJECT, tree)
    unlisted = [
        file.model_copy(update={"sha256": "0" * 64}) if file.path == ".gitattributes" else file for file in tree.files
    ]
    with pytest.raises(IntegrityError, match="its tree is not the one that was signed"):
        verifier.verify(manifest, SUBJECT, Tree(files=tuple(unlisted)))
    for nonsense in (b"", b"{}", b"[]", b"null", b"\xff", b'{"dsseEnvelope": []}'):
        with pytest.raises(IntegrityError, match="no model signature"):
            verifier.verify(nonsense, SUBJECT, tree)


@pytest.mark.parametrize(
    ("subject", "version"),
    [
        ("default/models/x/versions/3", ("default", "models", "x", "3")),
        ("default/models/x/versions/3/conversion", ("default", "models", "x", "3")),
        ("registries/company/data/models/versions/versions", ("registries/company", "data", "models", "versions")),
        ("models/components/data/versions/1", ("models", "components", "data", "1")),
        ("models/x/versions/3", None),
        ("default/jobs/x/versions/3", None),
        ("default/models/x", None),
        ("default/models/x/versions/3/other", None),
        ("default/models/x\n/versions/3", None),
        ("", None),
    ],
)
def test_a_subject_names_a_version_and_its_scope(subject: str, version: tuple[str, ...] | None) -> None:
    found = manifests.version_of(subject)
    assert found == version
    assert found is None or subject.startswith(manifests.subject_of(*found))


def test_a_refusal_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(IntegrityError(SUBJECT, "why")))
    assert (error.subject, error.why, error.code) == (SUBJECT, "why", "integrity_failed")


@pytest.mark.parametrize("make", ["rsa", "ed25519"])
def test_other_keys_are_refused(make: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key: Any = ed25519.Ed25519PrivateKey.generate() if make == "ed25519" else rsa.generate_private_key(65537, 2048)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    with pytest.raises(ValueError, match="not an elliptic curve key"):
        Signer(key.private_bytes(serialization.Encoding.PEM, form, plain))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="not an elliptic curve key"):
        Verifier(public)


@pytest.fixture
def store(bucket: Bucket) -> ObjectStore:
    return ObjectStore(
        StoreSettings(
            **bucket.settings,
        )
    )


@pytest.fixture
def damage(bucket: Bucket) -> Callable[[str], None]:
    """Flips a byte of a blob, behind the store's back."""
    import io

    from minio import Minio

    client = Minio(bucket.url.removeprefix("http://"), bucket.access_key, bucket.secret_key, secure=False)

    def damage(digest: str) -> None:
        key = f"blobs/sha256/{digest[:2]}/{digest}"
        answer = client.get_object(bucket.name, key)
        content = bytearray(answer.read())
        answer.close()
        answer.release_conn()
        content[len(content) // 2] ^= 1
        client.put_object(bucket.name, key, io.BytesIO(content), len(content))

    return damage


@pytest.fixture
def signed(store: ObjectStore, signer: Signer, model: Path) -> Signed:
    tree = trees.upload(store, model)
    return Signed(tree=tree.digest, manifest=store.put_bytes(signer.sign(SUBJECT, tree)), subject=SUBJECT)


def test_what_is_as_it_was_signed_is_loaded(
    store: ObjectStore, signed: Signed, verifier: Verifier, model: Path, tmp_path: Path
) -> None:
    for _ in range(2):  # the second time from the cache
        folder = manifests.materialise(store, signed, verifier, tmp_path / "cache")
        assert trees.describe(folder) == trees.describe(model)
    part = manifests.download(store, signed, verifier, tmp_path / "part", below="a")
    assert [file.path for file in part.files] == ["x.bin", "y/z.bin"]


@pytest.mark.parametrize("what", ["file", "tree", "manifest"])
def test_one_flipped_byte_in_the_store_is_refused(
    store: ObjectStore, signed: Signed, verifier: Verifier, damage: Callable[[str], None], what: str, tmp_path: Path
) -> None:
    tree = trees.load(store, signed.tree)
    assert signed.manifest is not None
    damage({"file": tree.files[0].sha256, "tree": signed.tree, "manifest": signed.manifest}[what])
    with pytest.raises(IntegrityError, match=f"{SUBJECT} is refused: blob [0-9a-f]+ has been damaged"):
        manifests.materialise(store, signed, verifier, tmp_path / "cache")
    with pytest.raises(IntegrityError):
        manifests.download(store, signed, verifier, tmp_path / "folder")


def test_one_flipped_byte_in_a_nodes_cache_is_refused(
    store: ObjectStore, signed: Signed, verifier: Verifier, tmp_path: Path
) -> None:
    folder = manifests.materialise(store, signed, verifier, tmp_path / "cache")
    content = bytearray((folder / "MLmodel").read_bytes())
    content[3] ^= 1
    (folder / "MLmodel").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"MLmodel has been changed; remove .* it will be fetched again"):
        manifests.materialise(store, signed, verifier, tmp_path / "cache")
    (folder / "MLmodel").unlink()
    with pytest.raises(IntegrityError, match="MLmodel is gone"):
        manifests.materialise(store, signed, verifier, tmp_path / "cache")


def test_what_is_cached_is_verified_while_the_store_is_away(
    store: ObjectStore, signed: Signed, verifier: Verifier, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    folder = manifests.materialise(store, signed, verifier, cache)
    away = ObjectStore(StoreSettings(s3_url="http://127.0.0.1:9"))
    assert manifests.materialise(away, signed, verifier, cache) == folder
    assert signed.manifest is not None
    kept = cache / ".signed" / signed.manifest
    content = bytearray(kept.read_bytes())
    content[9] ^= 1
    kept.write_bytes(content)
    with pytest.raises(IntegrityError, match="has been changed; remove it"):
        manifests.materialise(away, signed, verifier, cache)
    kept.write_bytes(b"")
    (folder / "MLmodel").write_text("other")
    kept.unlink()
    with pytest.raises(IntegrityError, match="MLmodel has been changed"):
        manifests.materialise(store, signed, verifier, cache)


def test_without_a_manifest_nothing_is_loaded_where_one_is_asked_for(
    store: ObjectStore, signed: Signed, verifier: Verifier
) -> None:
    unsigned = Signed(tree=signed.tree, manifest=None, subject=SUBJECT)
    with pytest.raises(IntegrityError, match="it is not signed"):
        manifests.load(store, unsigned, verifier)
    assert manifests.load(store, unsigned, None).digest == signed.tree
    not_yet = Signed(tree=signed.tree, manifest="0" * 64, subject=SUBJECT)
    with pytest.raises(UnavailableError, match="is not stored"):
        manifests.load(store, not_yet, verifier)


def test_a_manifest_is_written_in_one_way_only(signer: Signer, verifier: Verifier, model: Path) -> None:
    """The last character of padded base64 has bits that decode to nothing: they may not be other ones."""
    tree = trees.describe(model)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for _ in range(100):
        bundle = json.loads(signer.sign(SUBJECT, tree))
        signature = bundle["dsseEnvelope"]["signatures"][0]
        text = signature["sig"].rstrip("=")
        if len(text) == len(signature["sig"]):
            continue
        signature["sig"] = f"{text[:-1]}{alphabet[alphabet.index(text[-1]) ^ 1]}{signature['sig'][len(text) :]}"
        assert base64.b64decode(signature["sig"])
        with pytest.raises(IntegrityError):
            verifier.verify(json.dumps(bundle).encode(), SUBJECT, tree)
        return
    pytest.fail("a hundred signatures without padding")
