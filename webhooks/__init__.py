"""Outgoing webhooks: an organisation's own programs are told what becomes of its e-mails. docs/webhooks.md.

mail.announcing writes what is to be told, in the transaction that changed it; sweep() finds what is due, deliver()
sends it and prune() forgets it, each woken by a job; what admins do is webhooks.endpoints.
"""

from webhooks.deliver import deliver
from webhooks.ledger import prune, sweep

__all__ = ["deliver", "prune", "sweep"]
