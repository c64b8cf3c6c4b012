"""The YAML specification language: Azure ML CLI v2 files, and Modelyard's own kinds.

``load`` reads a file, ``load_mapping`` a mapping that is JSON already; both give a checked ``Document`` or raise
``SpecError`` with every problem found. ``localise`` turns a document into what the client sends.
"""

from modelyard_specs.created_jobs import created_job
from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath, Problem, SpecError
from modelyard_specs.expressions import (
    Constant,
    EventAttribute,
    Expression,
    ParentPort,
    Port,
    SearchSpace,
    StepPort,
    UnboundError,
    find_expressions,
    lookup,
    parse_expression,
    render,
    sole_expression,
)
from modelyard_specs.kinds import Group, Kind
from modelyard_specs.localise import localise
from modelyard_specs.parsing import load, load_mapping
from modelyard_specs.references import (
    AssetLabel,
    AssetName,
    AssetVersion,
    CloudResource,
    DatastorePath,
    JobOutput,
    LocalPath,
    Reference,
    RegistryAsset,
    RemoteUrl,
    Templated,
    TreeReference,
    parse_reference,
)
from modelyard_specs.submission import require_submittable
from modelyard_specs.survey import Verdict, survey, survey_paths
from modelyard_specs.versions import version_key

__all__ = [
    "AssetLabel",
    "AssetName",
    "AssetVersion",
    "CloudResource",
    "Constant",
    "DatastorePath",
    "Document",
    "EventAttribute",
    "Expression",
    "Group",
    "JobOutput",
    "KeyPath",
    "Kind",
    "LocalPath",
    "ParentPort",
    "Port",
    "Problem",
    "Reference",
    "RegistryAsset",
    "RemoteUrl",
    "SearchSpace",
    "SpecError",
    "StepPort",
    "Templated",
    "TreeReference",
    "UnboundError",
    "Verdict",
    "created_job",
    "find_expressions",
    "load",
    "load_mapping",
    "localise",
    "lookup",
    "parse_expression",
    "parse_reference",
    "render",
    "require_submittable",
    "sole_expression",
    "survey",
    "survey_paths",
    "version_key",
]
