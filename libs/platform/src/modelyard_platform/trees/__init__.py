"""Trees: folders by digest. A tree lists its files with their digests; its own digest names all of it.

Everything with files is one: code snapshots, data, models, step outputs. This package is the only code that reads and writes them, on
the platform and on its users' machines; it loads no S3 client.
"""

from __future__ import annotations

from modelyard_platform.trees.blobs import Blobs, DigestMismatchError, check_digest
from modelyard_platform.trees.document import MAX_FILES, PART, SCHEME, Piece, Tree, TreeFile, parse
from modelyard_platform.trees.downloads import chunks, digest_file, download, fetch, load, materialise
from modelyard_platform.trees.snapshot import Snapshot, describe
from modelyard_platform.trees.uploads import send, upload

__all__ = [
    "MAX_FILES",
    "PART",
    "SCHEME",
    "Blobs",
    "DigestMismatchError",
    "Piece",
    "Snapshot",
    "Tree",
    "TreeFile",
    "check_digest",
    "chunks",
    "describe",
    "digest_file",
    "download",
    "fetch",
    "load",
    "materialise",
    "parse",
    "send",
    "upload",
]
