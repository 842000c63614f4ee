"""A server's log from the start of recovery to a failed statement (PostgreSQL 15 to 18)."""

RECOVERED = """\
2026-03-01 12:00:00.001 UTC [10] 00000 LOG:  starting point-in-time recovery to XID 741
2026-03-01 12:00:00.002 UTC [10] 00000 LOG:  redo starts at 0/A00028
2026-03-01 12:00:00.003 UTC [10] 00000 LOG:  consistent recovery state reached at 0/A00100
2026-03-01 12:00:00.004 UTC [11] 57P03 FATAL:  the database system is starting up
2026-03-01 12:00:01.000 UTC [10] 00000 LOG:  redo in progress, elapsed time: 1.00 s,\
 current LSN: 0/B00000
2026-03-01 12:00:01.200 UTC [10] 00000 LOG:  recovery stopping after commit of transaction 741,\
 time 2026-03-01 12:00:01
2026-03-01 12:00:01.300 UTC [10] 00000 LOG:  redo done at 0/B00120 system usage: CPU: user: 0.00 s
2026-03-01 12:00:01.300 UTC [10] 00000 LOG:  last completed transaction was at log\
 time 2026-03-01 12:00:00.5+00
2026-03-01 12:00:01.400 UTC [10] 00000 LOG:  archive recovery complete
2026-03-01 12:00:01.500 UTC [9] 00000 LOG:  database system is ready to accept connections
2026-03-01 12:00:02.000 UTC [12] 23505 ERROR:  duplicate key value
2026-03-01 12:00:02.000 UTC [12] 23505 DETAIL:  Key (email)=(a@example.com) already exists.
"""
