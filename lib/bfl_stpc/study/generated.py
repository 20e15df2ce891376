"""Generated parts of written pages: what stands between two markers is replaced, everything else is kept."""

from __future__ import annotations

from bfl_stpc.errors import ClaimError


def between(text: str, marker: str, new: str, where: str) -> str:
    """Return `text` with `new` between the lines `<!-- marker: begin -->` and `<!-- marker: end -->`.

    Raises:
        ClaimError: the page `where` has no such markers.
    """
    begin, end = f"<!-- {marker}: begin -->\n", f"<!-- {marker}: end -->"
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ClaimError(f"{where} lacks the lines <!-- {marker}: begin --> and <!-- {marker}: end -->")
    return head + begin + new + end + tail
