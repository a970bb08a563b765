"""What the local brokers share: consumers, producers, readers and administration over a `Log`."""
