"""The practice post office: a real SMTP server on loopback that behaves as operators do, and sends nothing out.

How it treats an e-mail follows from the recipient's local part (`behaviours`). It keeps what it took in a
Maildir, sends RFC 3464 reports to the bounce Maildir, reads as a person would, and shows all on a small page.
"""

from local.postoffice.smtp import PostOffice

__all__ = ["PostOffice"]
