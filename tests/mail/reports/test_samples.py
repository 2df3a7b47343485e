"""The figures of RELIABILITY.md on the labelled samples, where there are samples (SILLAGE_SAMPLES)."""

from __future__ import annotations

from bench.reports import SAMPLES, labelled, measure
from mail.reports import read

if SAMPLES.is_dir():

    def test_the_figures_hold_on_the_samples():
        n = measure(labelled("all"), wrong=False)
        assert n["recipients ok"] >= 0.975 * n["recipients of"]
        assert n["action ok"] >= 0.97 * n["action of"]
        assert n["delayed taken as failed (dsn-field)"] == 0
        assert n["dead tp"] >= 0.99 * (n["dead tp"] + n["dead fp"])
        assert n["dead tp"] >= 0.90 * (n["dead tp"] + n["dead fn"])
        assert n["message id ok"] >= 0.99 * n["message id of"]
        assert n["false alarms"] == n["poison"] == 0
        for kind, share in (("feedback", 1), ("read-receipt", 1), ("auto-reply", 0.9), ("other", 1)):
            assert n[f"kind {kind} ok"] >= share * n[f"kind {kind} of"], kind

    def test_newlines_do_not_matter_in_any_sample():
        for row in labelled("all"):
            raw = (SAMPLES / row["file"]).read_bytes()
            lf = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            assert read(lf.replace(b"\n", b"\r")) == read(lf.replace(b"\n", b"\r\n")) == read(raw), row["file"]

else:

    def test_without_samples_no_figure_is_claimed(capsys):
        with capsys.disabled():
            print(f"no samples at {SAMPLES}: the figures of the readers were not measured")
