"""The architecture families, one file or folder each; `mixfront.models.registry` lists them."""
