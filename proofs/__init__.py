"""The proof of an e-mail, and of many: what was sent, what became of it, who acted, for somebody who was not there.

`one` puts together what the proof of an e-mail holds, `many` an archive of a folder an e-mail, `sheet` and `summary`
the pages that people read. Who may take one is the caller's; what is known of an e-mail is history.proof's.
"""
