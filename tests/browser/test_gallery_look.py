"""The gallery looks as it did: each section, in both themes and on a phone, beside a picture that is kept.

Two machines never draw a letter with the same greys, so a picture is judged by cells of 8 × 8 pixels: the colour most
frequent in a cell (its ground) and its mean, which is exact where there are lines and no letters. What a machine
draws its own way is hidden: native fields, other scripts, fixed-width type. `SILLAGE_LOOKS=keep` keeps today's
pictures; look at each before it is committed. What differs lands in test-results/looks.
"""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest

from tests.browser.house import ROOT

KEPT = ROOT / "tests" / "browser" / "looks"
SEEN = ROOT / "test-results" / "looks"
SECTIONS = ("statuses", "buttons", "notices", "forms", "data", "tables", "charts", "history")
PHONE = ("data", "tables", "charts", "history")  # those that are laid out anew
PLACES = (("light", 1024), ("dark", 1024), ("light", 390))
MOST = 0.0025  # of the cells, which may differ: less than an icon of a small section
_HIDE = """() => {
  const own = 'code, pre, kbd, .mono, iframe, input[type=file], input[type=date], input[type=datetime-local], progress';
  for (const one of document.querySelectorAll(own)) one.style.visibility = 'hidden';
  for (const one of document.querySelectorAll('bdi, .avatar'))
    if (/[^\\u0000-\\u024f\\u2000-\\u206f]/.test(one.textContent)) one.style.fontSize = 0;
}"""
# Each stands alone while it is pictured: a section that grows by a fraction of a pixel moves no other.
_ALONE = """name => {
  for (const one of document.querySelectorAll('main section.section'))
    one.style.display = one.id === name ? '' : 'none';
}"""
_COMPARE = """async ([kept, seen]) => {
  const pixels = async text => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + text;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    return canvas.getImageData(0, 0, image.width, image.height);
  };
  const [one, two] = [await pixels(kept), await pixels(seen)];
  if (one.width !== two.width || one.height !== two.height)
    return {size: `${one.width}×${one.height} was kept, ${two.width}×${two.height} is seen`};
  const cell = (image, left, top) => {
    const times = new Map(), sum = [0, 0, 0];
    let count = 0;
    const [right, bottom] = [Math.min(left + 8, image.width), Math.min(top + 8, image.height)];
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) {
      const at = 4 * (y * image.width + x), rgb = [0, 1, 2].map(of => image.data[at + of]);
      times.set(rgb.join(), (times.get(rgb.join()) || 0) + 1);
      rgb.forEach((value, of) => sum[of] += value);
      count++;
    }
    const [ground, often] = [...times].sort((a, b) => b[1] - a[1])[0], mean = sum.map(value => value / count);
    return {ground: ground.split(',').map(Number), sure: often > count * 0.6, plain: times.size < 4, mean};
  };
  const far = (a, b) => Math.max(...a.map((value, of) => Math.abs(value - b[of])));
  let cells = 0, wrong = [];
  for (let top = 0; top < one.height; top += 8) for (let left = 0; left < one.width; left += 8) {
    const [a, b] = [cell(one, left, top), cell(two, left, top)];
    cells++;
    const another = a.sure && b.sure && far(a.ground, b.ground) > 5;
    if (another || far(a.mean, b.mean) > (a.plain && b.plain ? 3 : 28)) wrong.push([left, top]);
  }
  return {share: wrong.length / cells, first: wrong[0]};
}"""


@pytest.mark.parametrize(("theme", "width"), PLACES, ids=[f"{theme}-{width}" for theme, width in PLACES])
def test_each_section_of_the_gallery_looks_as_it_did(visit: Any, theme: str, width: int) -> None:
    one = visit(None, width=width, height=6000, theme=theme)  # tall: nothing sticks, nothing scrolls
    page = one.goto("/gallery")
    page.evaluate("document.fonts.ready")
    page.evaluate(_HIDE)
    judge = one.context.new_page()
    keep = os.environ.get("SILLAGE_LOOKS") == "keep"
    different = []
    for name in SECTIONS if width > 760 else PHONE:
        page.evaluate(_ALONE, name)
        seen = page.locator(f"#{name}").screenshot(animations="disabled")
        file = KEPT / f"{name}-{theme}-{width}.png"
        if keep:
            KEPT.mkdir(exist_ok=True)
            file.write_bytes(seen)
            continue
        found = judge.evaluate(_COMPARE, [base64.b64encode(picture).decode() for picture in (file.read_bytes(), seen)])
        if found.get("size") or found["share"] > MOST:
            SEEN.mkdir(parents=True, exist_ok=True)
            (SEEN / file.name).write_bytes(seen)
            different.append(f"{file.name}: {found}")
    assert not different, "\n".join(different)
