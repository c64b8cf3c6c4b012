"""Resources: what of them gives access, and what they have no effect on."""

from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath
from modelyard_specs.kinds.base import Resource, Secret
from modelyard_specs.kinds.cloud import Compute, Datastore, Kept
from modelyard_specs.secrets import without_secrets
from modelyard_specs.validation.findings import Findings

_FILES = {"azure_blob": "container_name", "azure_data_lake_gen2": "filesystem", "azure_file": "file_share_name"}
"""What says where in the account the files lie, by type."""


def check_resource(document: Document, resource: Kept, findings: Findings) -> None:
    """Warn of what is neither sent nor kept; a datastore must say where its files lie."""
    for key, item, markers in Resource.entries(resource):
        path: KeyPath = (key,)
        secret = next((marker for marker in markers if isinstance(marker, Secret)), None)
        if secret is not None:
            message = f"`{key}` is neither sent nor kept: {secret.instead}"
            findings.warnings.append(document.problem(path, message, key=True))
            continue
        for where in without_secrets(item, path)[1] if isinstance(item, dict | list | str) else ():
            message = f"what looks like a secret in `{where[-1]}` is neither sent nor kept"
            findings.warnings.append(document.problem(where, message, key=True))
    match resource:
        case Compute():
            message = "a compute is kept for those who ask for it, and nothing runs on it: steps run on this installation's nodes"
            findings.warnings.append(document.problem((), message))
        case Datastore(type=type_) if type_ in _FILES:
            keys = () if resource.endpoint and "://" in resource.endpoint else ("account_name",)
            if resource.protocol and resource.protocol.lower() == "s3":
                keys = ()
            for key in (*keys, _FILES[type_]):
                if getattr(resource, key) is None:
                    findings.problems.append(document.problem((key,), f"`{key}` is missing", key=True))
        case _:
            pass
