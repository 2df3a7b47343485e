"""What the text that programs send may be, as regular expressions that the OpenAPI document shows too."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

# No control characters, no line or paragraph ends: what may stand in a header.
_LINE = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]"
_VISIBLE = r"[^\u0000-\u0020\u007f-\u00a0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
LINE = f"^{_LINE}*$"
FILLED_LINE = f"^{_LINE}*{_VISIBLE}{_LINE}*$"
TEXT = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"
# A type of e-mail or of event.
TYPE = r"^[a-z][a-z0-9_.-]{0,63}$"
# What mail.compose.File.of takes as it is.
FILE_NAME = (
    r"^(?!\s*\.{0,2}\s*$)(?!.*=\?)"
    r"[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069/\\]{1,150}$"
)
BASE64 = r"^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
# RFC 3339 with a zone, of this century, in days that exist.
_DAY = (
    r"20[0-9]{2}-(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|20[0-9]{2}-(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|20[0-9]{2}-02-(?:0[1-9]|1[0-9]|2[0-8])|20(?:[02468][048]|[13579][26])-02-29"
)
_HOUR = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
MOMENT = f"^(?:{_DAY})T{_HOUR}$"


def _file_name(name: str) -> str:
    if not re.fullmatch(FILE_NAME, name):
        raise ValueError("A file's name has no slash, no control character and is not made of dots")
    return name


FileName = Annotated[str, AfterValidator(_file_name)]
