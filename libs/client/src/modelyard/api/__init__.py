"""The SDK's parts: one module for each kind of thing that Modelyard keeps."""
