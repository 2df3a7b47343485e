"""The figures of RELIABILITY.md on the recorded webhooks, where there are samples (SILLAGE_SAMPLES)."""

from __future__ import annotations

from tests.mail.providers.samples import SAMPLES, right, samples

if SAMPLES.is_dir():

    def test_events_are_right_and_refusals_are_all_made():
        told = wanted = 0
        wrong, let_in, shut_out = [], [], []
        for sample in samples():
            labels = sample.row["events"]
            if sample.row["class"] == "rejected-request":
                if sample.verified():
                    let_in.append(sample.name)
                continue
            if sample.verifiable and not sample.verified():
                shut_out.append(sample.name)
            events = sample.events()
            wanted += max(len(labels), 1)
            if events is None or len(events) != len(labels):
                # a body that says nothing at all may be told as one unknown event, or as none
                nothing = not events and all(label["event_type"] == "unknown" for label in labels)
                told += nothing
                wrong += [] if nothing else [f"{sample.name}: {events}"]
                continue
            good = sum(right(event, label) for event, label in zip(events, labels, strict=True))
            told += good if labels else 1
            wrong += [f"{sample.name}: {events}"] if good < len(labels) else []
        assert not let_in and not shut_out, (let_in, shut_out)
        assert told >= 0.99 * wanted > 0, wrong

else:

    def test_without_samples_no_figure_is_claimed(capsys):
        with capsys.disabled():
            print(f"no samples at {SAMPLES}: the figures of the webhooks were not measured")
