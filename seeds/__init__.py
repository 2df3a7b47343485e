"""Demo data, e-mails by the million, and the commands that make them. Nothing here runs unless asked."""
