"""report.html: one self-contained page that shows a validation to somebody who was not there."""

from __future__ import annotations

from wpoflow.views.report.case import CaseView, case_view, evidence_view
from wpoflow.views.report.page import NAME, page_html, write_page

__all__ = ["NAME", "CaseView", "case_view", "evidence_view", "page_html", "write_page"]
