"""Hearing: sound comes in as blocks and leaves as small frozen values. Knows no pictures."""
