"""Model packages and serverless endpoints. They parse; they cannot run yet."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard_specs.kinds.assets import InferenceConfig
from modelyard_specs.kinds.base import AssetRef, Resource, Snake, Spec, Text, Texts, WithoutEffect
from modelyard_specs.kinds.online import CodeConfiguration, EndpointName


class BaseEnvironment(Spec):
    """The environment that a package stands on."""

    type: Text | None = None
    resource_id: AssetRef | None = None


class InferencingServer(Spec):
    """What answers in the packaged image."""

    type: Annotated[Literal["azureml_online", "azureml_batch", "custom", "triton"], Snake]
    code_configuration: CodeConfiguration | None = None
    inference_configuration: InferenceConfig | None = None


class ModelConfiguration(Spec):
    """Whether the model is copied into the image or fetched when it starts."""

    mode: Annotated[Literal["copy", "download"], Snake] | None = None
    mount_path: Text | None = None


class PackageInput(Spec):
    """Another asset beside the model."""

    type: Annotated[Literal["uri_file", "uri_folder"], Snake] | None = None
    mode: Annotated[Text | None, Snake] = None
    path: Any = None
    mount_path: Text | None = None


class ModelPackage(Resource):
    """A model and what serves it, as one image."""

    target_environment: Text | dict[str, Any] | None = None
    target_environment_name: Text | None = None
    base_environment_source: BaseEnvironment | None = None
    inferencing_server: InferencingServer
    model_configuration: ModelConfiguration | None = None
    inputs: list[PackageInput] = Field(default_factory=list)
    environment_variables: Texts = Field(default_factory=dict)


class ServerlessEndpoint(Resource):
    """A model of a catalog, served by its publisher."""

    name: EndpointName | None = None
    model_id: AssetRef
    auth_mode: Annotated[Literal["key", "aad"], Snake] = "key"
    location: Annotated[Text | None, WithoutEffect()] = None
