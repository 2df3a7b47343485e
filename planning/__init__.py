"""What should be sent, to whom, when: dated rules, business events, and who still misses what."""
