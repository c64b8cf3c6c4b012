"""What a model's files are: formats, inputs and outputs, what is dangerous to load. Told from bytes: nothing is imported or unpickled."""

from __future__ import annotations

from modelyard_flavours.found import Files, Flavour, Folder, Inspection, Signature, Tensor, UnreadableError, Warned
from modelyard_flavours.inspecting import inspect

__all__ = ["Files", "Flavour", "Folder", "Inspection", "Signature", "Tensor", "UnreadableError", "Warned", "inspect"]
