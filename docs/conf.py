"""Settings of the manual: python -m sphinx -W -b html docs docs/_build."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wpoflow.solver.records.provenance import VERSION

project = "wpoflow"
release = version = VERSION
project_copyright = "the authors of wpoflow"
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_click",
    "docs.extensions.mathml",
    "docs.extensions.generated",
]
exclude_patterns = ["_build", "extensions"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", r".*")]  # types stand in docstrings as words, with shapes, not as names to look up

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # generated parts begin below the level of their page's title

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc lists them
smartquotes_action = "qe"  # quotes and ellipses; two hyphens are those of an option
default_role = "code"

html_theme = "furo"
html_title = f"wpoflow {VERSION}"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sourcelink = False
