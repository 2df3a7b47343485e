"""What comes back by mail. `read(raw)` gives a Report; `classify` and `classify_files` give it as the classify
command prints it. Reading is pure; fence.Fence and classify_files do it in a child process with limits.
"""

from __future__ import annotations

from mail.reports.answer import classify
from mail.reports.fence import Fence, classify_files, read_many
from mail.reports.reader import read
from mail.reports.report import Action, Kind, Report, ReportedRecipient

__all__ = [
    "Action",
    "Fence",
    "Kind",
    "Report",
    "ReportedRecipient",
    "classify",
    "classify_files",
    "read",
    "read_many",
]
