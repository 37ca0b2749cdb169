"""The manual; its pages are Markdown, and `docs.extensions` is what Sphinx needs to make it."""
