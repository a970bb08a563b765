"""One node at run time: source or topic, agents in a row, sink or topic; and the supervision of its replicas.

`replica` runs one replica; `flow` takes records through its stages; `stage` keeps the order of keys; `delivery` writes
and commits; `intake` reads; `supervision` restarts what failed.
"""
