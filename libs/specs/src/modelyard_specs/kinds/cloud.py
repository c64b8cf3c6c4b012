"""What a cloud has: datastores, compute, connections, which are kept by name without what gives access to them; workspaces and
registries, which parse, so that a folder of files can be checked."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from modelyard_specs.kinds.base import Flag, Resource, Secret, Snake, Spec, Text, Whole
from modelyard_specs.secrets import without_secrets

_OPERATOR: Final = (
    "the operator's settings EXTERNAL_S3_* say what s3:// addresses are read with, EXTERNAL_HOSTS which hosts may be"
)
_NOBODY: Final = "nobody signs in to a compute: steps run on this installation's own nodes"
_STEP: Final = "a step gets what it needs by its `environment_variables`"

Hidden = Annotated[dict[str, Any] | None, Field(repr=False)]


class Kept(Resource):
    """A resource that is kept by its name, without whatever in it gives access to something."""

    def entries(self) -> Iterator[tuple[str, Any, list[Any]]]:
        for key, item, markers in super().entries():
            yield key, without_secrets(item)[0] if isinstance(item, dict | list | str) else item, markers


class Artifact(Spec):
    """An item of a OneLake workspace."""

    name: Text
    type: Text | None = None


class Datastore(Kept):
    """A place where files lie."""

    name: Text
    type: Annotated[
        Literal["azure_blob", "azure_file", "azure_data_lake_gen1", "azure_data_lake_gen2", "one_lake", "hdfs"], Snake
    ]
    account_name: Text | None = None
    container_name: Text | None = None
    file_share_name: Text | None = None
    filesystem: Text | None = None
    store_name: Text | None = None
    one_lake_workspace_name: Text | None = None
    artifact: Artifact | None = None
    name_node_address: Text | None = None
    hdfs_server_certificate: Text | None = None
    endpoint: Text | None = None
    protocol: Text | None = None
    credentials: Annotated[Hidden, Secret(_OPERATOR)] = None


_COMPUTE_TYPES = {
    name.replace("_", ""): name for name in ("aml_compute", "compute_instance", "synapse_spark", "virtual_machine")
}


def _compute_type(value: object) -> object:
    """The original writes these as one word in any case: ``amlcompute``, ``AmlCompute``."""
    found = value.replace("_", "").lower() if isinstance(value, str) else value
    return _COMPUTE_TYPES.get(found, found) if isinstance(found, str) else found


class Compute(Kept):
    """Machines: a cluster, one machine, or somebody's own."""

    name: Text
    type: Annotated[
        Literal["aml_compute", "compute_instance", "kubernetes", "synapse_spark", "virtual_machine"],
        BeforeValidator(_compute_type, json_schema_input_type=str),
    ]
    location: Text | None = None
    resource_id: Text | None = None
    size: Text | None = None
    tier: Annotated[Literal["low_priority", "lowpriority", "dedicated"], Snake] | None = None
    min_instances: Annotated[Whole, Field(ge=0)] | None = None
    max_instances: Annotated[Whole, Field(ge=0)] | None = None
    idle_time_before_scale_down: Annotated[Whole, Field(ge=0)] | None = None
    idle_time_before_shutdown: Text | None = None
    idle_time_before_shutdown_minutes: Annotated[Whole, Field(ge=0)] | None = None
    namespace: Text | None = None
    identity: dict[str, Any] | None = None
    network_settings: dict[str, Any] | None = None
    ssh_settings: Annotated[Hidden, Secret(_NOBODY)] = None
    ssh_public_access_enabled: Flag | None = None
    enable_node_public_ip: Flag | None = None
    enable_sso: Flag | None = None
    enable_root_access: Flag | None = None
    enable_os_patching: Flag | None = None
    release_quota_on_stop: Flag | None = None
    create_on_behalf_of: dict[str, Any] | None = None
    schedules: dict[str, Any] | None = None
    custom_applications: list[dict[str, Any]] | None = None
    setup_scripts: dict[str, Any] | None = None
    scale_settings: dict[str, Any] | None = None
    auto_pause_settings: dict[str, Any] | None = None
    node_count: Any = None
    node_family: Any = None
    node_size: Any = None
    spark_version: Any = None
    last_operation: Any = None
    os_image_metadata: Any = None
    services: Any = None
    state: Any = None
    compute_location: Any = None


class Connection(Kept):
    """How to reach something outside."""

    type: Annotated[Text, Snake]
    target: Text | None = None
    credentials: Annotated[Hidden, Secret(_STEP)] = None
    is_shared: Flag | None = None
    metadata: dict[str, Any] | None = None
    endpoint: Text | None = None
    url: Text | None = None
    account_name: Text | None = None
    container_name: Text | None = None
    one_lake_workspace_name: Text | None = None
    artifact: dict[str, Any] | None = None
    api_key: Annotated[Text | None, Field(repr=False), Secret(_STEP)] = None
    api_base: Text | None = None
    api_type: Text | None = None
    api_version: Text | None = None
    azure_endpoint: Text | None = None
    open_ai_resource_id: Text | None = None
    ai_services_resource_id: Text | None = None


class Workspace(Resource):
    """A workspace, a hub, a project or a feature store of the original."""

    name: Text
    kind: Text | None = None
    location: Text | None = None
    resource_group: Text | None = None
    display_name: Text | None = None
    discovery_url: Text | None = None
    mlflow_tracking_uri: Text | None = None
    hbi_workspace: Flag | None = None
    storage_account: Text | None = None
    container_registry: Text | None = None
    key_vault: Text | None = None
    application_insights: Text | None = None
    customer_managed_key: dict[str, Any] | None = None
    image_build_compute: Text | None = None
    public_network_access: Text | None = None
    network_acls: dict[str, Any] | None = None
    system_datastores_auth_mode: Text | None = None
    identity: dict[str, Any] | None = None
    primary_user_assigned_identity: Text | None = None
    workspace_hub: Text | None = None
    workspace_id: Text | None = None
    hub_id: Text | None = None
    managed_network: dict[str, Any] | str | None = None
    provision_network_now: Flag | None = None
    enable_data_isolation: Flag | None = None
    allow_roleassignment_on_rg: Flag | None = None
    serverless_compute: dict[str, Any] | None = None
    feature_store_settings: dict[str, Any] | None = None
    associated_workspaces: list[Text] | None = None
    default_resource_group: Text | None = None
    compute_runtime: dict[str, Any] | None = None
    materialization_identity: dict[str, Any] | None = None
    offline_store: dict[str, Any] | None = None
    online_store: dict[str, Any] | None = None


class Replication(Spec):
    """A region that a registry is copied to."""

    location: Text | None = None
    storage_config: Any = None
    acr_config: Any = None


class Registry(Resource):
    """A registry of the original: assets that workspaces share."""

    name: Text | None = None
    location: Text
    public_network_access: Text | None = None
    replication_locations: list[Replication] = Field(min_length=1)
    intellectual_property: dict[str, Any] | None = None
    container_registry: Any = None
    managed_resource_group: Any = None
    kind: Any = None
    sku: Any = None
    mlflow_registry_uri: Text | None = None
    discovery_url: Text | None = None
    identity: dict[str, Any] | None = None
