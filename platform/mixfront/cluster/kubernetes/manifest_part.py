"""The base class of everything in a manifest."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ManifestPart(BaseModel):
    """A part of a manifest: exactly the fields that are rendered, in Kubernetes' spelling."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    def to_manifest(self) -> dict[str, Any]:
        """Plain data without the fields that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Metadata(ManifestPart):
    """Name, namespace, labels and annotations of an object."""

    name: str
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
