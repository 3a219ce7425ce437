"""`python -m smsign.cli`: the same as `smsign`."""

from smsign.cli import main

main()
